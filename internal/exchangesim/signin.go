package exchangesim

import (
	"errors"
	"net/http"
	"strings"

	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/hook"
)

// signIn decides who makes an EWS request.
type signIn struct{ *Server }

// bearerChallenge is what Exchange Online offers (client_id is its own).
const bearerChallenge = `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@*", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`

// Authenticate implements hook.Authenticator.
func (s signIn) Authenticate(r *http.Request) (hook.Principal, *hook.Answer) {
	who, no := s.authenticate(r)
	if no != nil {
		s.refused.Add(1)
	}
	return who, no
}

func (s signIn) authenticate(r *http.Request) (hook.Principal, *hook.Answer) {
	authorization := r.Header.Get("Authorization")
	scheme, token, _ := strings.Cut(authorization, " ")
	if strings.EqualFold(scheme, "Bearer") {
		return s.bearer(strings.TrimSpace(token))
	}
	address, password, ok := r.BasicAuth()
	if !ok {
		return hook.Principal{}, unauthorized("", "") // NTLM is not simulated
	}
	address = strings.ToLower(address)
	if !s.passwordIs(address, password) {
		return hook.Principal{}, unauthorized("", "")
	}
	return hook.Principal{Address: address, MayImpersonate: address == ServiceUser}, nil
}

func (s signIn) bearer(token string) (hook.Principal, *hook.Answer) {
	t, err := s.entra.Lookup(token)
	switch {
	case errors.Is(err, entra.ErrExpiredToken):
		return hook.Principal{}, unauthorized("invalid_token", `2000002;reason="The token has expired.";error_category="invalid_token"`)
	case errors.Is(err, entra.ErrRevokedToken):
		return hook.Principal{}, unauthorized("invalid_token", `2000001;reason="The token has been revoked.";error_category="invalid_token"`)
	case err != nil:
		return hook.Principal{}, unauthorized("invalid_token", `2000001;reason="OAuth token submitted with the request cannot be parsed.";error_category="invalid_token"`)
	}
	return hook.Principal{
		Address: t.User, AppID: t.AppID, TokenID: t.ID,
		MayImpersonate: t.User == "" || t.User == ServiceUser, MustImpersonate: t.User == "",
	}, nil
}

// passwordIs says whether that is the password of a mailbox's owner, or of the service user.
func (s *Server) passwordIs(address, password string) bool {
	return password == entra.DefaultPassword && (address == ServiceUser || s.company.Mailbox(address) != nil)
}

// unauthorized is a 401. A request with a bad token is told why; one without gets every challenge.
func unauthorized(oauthError, diagnostics string) *hook.Answer {
	h := http.Header{}
	if oauthError == "" {
		h["Www-Authenticate"] = []string{bearerChallenge, `Basic realm=""`}
	} else {
		h["Www-Authenticate"] = []string{bearerChallenge + `, error="` + oauthError + `"`}
		h["X-Ms-Diagnostics"] = []string{diagnostics}
	}
	return &hook.Answer{Status: http.StatusUnauthorized, Header: h}
}
