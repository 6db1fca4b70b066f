package entra

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// Audience is the resource that tokens are issued for: Exchange Online.
const Audience = "https://outlook.office365.com"

// Why a token is not accepted.
var (
	ErrUnknownToken = errors.New("token was not issued here")
	ErrExpiredToken = errors.New("token has expired")
	ErrRevokedToken = errors.New("token has been revoked")
)

// Token is what the registry knows of one access token. The token itself is not part of it.
type Token struct {
	ID         string `json:"id"`             // subject/generation, such as "sim-app/3"
	Subject    string `json:"subject"`        // app id, or the user's address
	Generation int    `json:"generation"`     // counts the subject's tokens, from 1
	AppID      string `json:"appId"`          // client that asked for it
	User       string `json:"user,omitempty"` // address; empty for a token of the app itself
	Grant      string `json:"grant"`          // grant_type
	// SignIn is what the token was got with: a credential of the app, or for a user's token the password grant.
	SignIn  hook.SignIn `json:"signIn"`
	Roles   []string    `json:"roles,omitempty"`  // of an app's token
	Scopes  []string    `json:"scopes,omitempty"` // of a user's token
	Issued  time.Time   `json:"issued"`
	Expires time.Time   `json:"expires"`
	Revoked bool        `json:"revoked"`
	Used    uint64      `json:"used"` // how often it was shown to Exchange
}

// Permitted says whether the token carries what EWS asks for.
func (t *Token) Permitted() bool {
	return slices.Contains(t.Roles, AppRole) || slices.Contains(t.Scopes, DelegatedScope)
}

// Lookup tells what token stands for. The error is one of the three above; with the latter two the Token is set.
func (s *Server) Lookup(token string) (Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[token]
	if !ok {
		return Token{}, ErrUnknownToken
	}
	t.Used++
	switch {
	case t.Revoked:
		return *t, ErrRevokedToken
	case !s.opts.Now().Before(t.Expires):
		return *t, ErrExpiredToken
	}
	return *t, nil
}

// Tokens lists the tokens in the order of their issue.
func (s *Server) Tokens() []Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Token, 0, len(s.tokens))
	for _, t := range s.tokens {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Token) int {
		return cmp.Or(a.Issued.Compare(b.Issued), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Generation, b.Generation))
	})
	return all
}

// Revoke takes the token with this id away, or every token when id is empty, and says how many were good before.
func (s *Server) Revoke(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.tokens {
		if (id == "" || t.ID == id) && !t.Revoked {
			t.Revoked = true
			n++
		}
	}
	return n
}

// keptTokens bounds the registry: beyond it, tokens that expired a day ago are forgotten.
const keptTokens = 10_000

// issue makes a token and registers it. The caller holds the lock.
func (s *Server) issue(req request, what granted) (string, *Token) {
	now := s.opts.Now()
	signIn := req.credential()
	if what.user != "" {
		signIn = hook.Delegated
	}
	subject := cmp.Or(what.user, s.opts.AppID)
	s.gens[subject]++
	t := &Token{
		ID:      fmt.Sprintf("%s/%d", subject, s.gens[subject]),
		Subject: subject, Generation: s.gens[subject],
		AppID: s.opts.AppID, User: what.user, Grant: req.form.Get("grant_type"), SignIn: signIn,
		Roles: what.roles, Scopes: what.scopes,
		Issued: now, Expires: now.Add(s.life),
	}
	raw := s.sign(t)
	if len(s.tokens) >= keptTokens {
		s.forget(now.Add(-24 * time.Hour))
	}
	s.tokens[raw] = t
	s.stats.Issued++
	return raw, t
}

func (s *Server) forget(expiredBefore time.Time) {
	for raw, t := range s.tokens {
		if t.Expires.Before(expiredBefore) {
			delete(s.tokens, raw)
		}
	}
}

// claims are those of an access token for Exchange that clients and proxies are known to look at.
type claims struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	AppID     string   `json:"appid"`
	Tenant    string   `json:"tid"`
	IDType    string   `json:"idtyp"`
	Roles     []string `json:"roles,omitempty"`
	Scope     string   `json:"scp,omitempty"`
	User      string   `json:"upn,omitempty"`
	Subject   string   `json:"sub"`
	ID        string   `json:"uti"`
	Version   string   `json:"ver"`
}

func (s *Server) sign(t *Token) string {
	c := claims{
		Audience: Audience,
		Issuer:   "https://sts.windows.net/" + s.opts.Tenant + "/",
		IssuedAt: t.Issued.Unix(), NotBefore: t.Issued.Unix(), Expires: t.Expires.Unix(),
		AppID: t.AppID, Tenant: s.opts.Tenant, Subject: t.Subject, User: t.User,
		ID: rand.Text(), Version: "1.0",
		IDType: "app", Roles: t.Roles, Scope: strings.Join(t.Scopes, " "),
	}
	if t.User != "" {
		c.IDType = "user"
	}
	return s.jwt(c)
}

// jwt writes a JSON Web Token (RFC 7519) that is signed with the simulator's own key: nobody can verify it, as nobody
// but Exchange verifies a real one.
func (s *Server) jwt(claims any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		panic("entra: claims cannot be marshalled: " + err.Error()) // they are plain structs
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"typ":"JWT","alg":"HS256","kid":"simulated"}`)) + "." + enc.EncodeToString(body)
	mac := hmac.New(sha256.New, s.signer[:])
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}
