package admin

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"time"

	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/faults"
)

func (a *api) listTokens(*http.Request) (any, error) {
	return struct {
		Tokens []entra.Token `json:"tokens"`
	}{a.Entra.Tokens()}, nil
}

func (a *api) revokeTokens(r *http.Request) (any, error) {
	id := r.PathValue("token")
	n := a.Entra.Revoke(id)
	if id != "" && n == 0 {
		return nil, missing("good token", id, "GET /admin/tokens lists them; write the / in an id as %2F")
	}
	return struct {
		Revoked int `json:"revoked"`
	}{n}, nil
}

func (a *api) setLifetime(r *http.Request) (any, error) {
	var in struct {
		Lifetime  faults.Duration `json:"lifetime"`
		RefreshIn faults.Duration `json:"refreshIn"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Lifetime.Std() < time.Second || in.RefreshIn < 0 {
		return nil, invalid("lifetime", "a token lives a second at least", `write a span such as "90s"`)
	}
	a.Entra.SetLifetime(in.Lifetime.Std(), in.RefreshIn.Std())
	return nil, nil
}

func (a *api) setSecret(r *http.Request) (any, error) {
	var in struct {
		Secret string `json:"secret"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Secret == "" {
		return nil, invalid("secret", "the secret is empty", "write the new client secret")
	}
	a.Entra.SetSecret(in.Secret)
	return nil, nil
}

type certificates struct {
	Certificates []entra.Certificate `json:"certificates"`
}

func (a *api) listCertificates(*http.Request) (any, error) {
	return certificates{a.Entra.Certificates()}, nil
}

func (a *api) addCertificate(r *http.Request) (any, error) {
	var in struct {
		PEM string `json:"pem"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(in.PEM))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, invalid("pem", "not a certificate in PEM form", "it begins with -----BEGIN CERTIFICATE-----")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err == nil {
		err = a.Entra.AddCertificate(cert)
	}
	if err != nil {
		return nil, invalid("pem", err.Error(), "use an X.509 certificate with an RSA key")
	}
	return created{certificates{a.Entra.Certificates()}}, nil
}

func (a *api) removeCertificate(r *http.Request) (any, error) {
	if !a.Entra.RemoveCertificate(r.PathValue("thumbprint")) {
		return nil, missing("certificate", r.PathValue("thumbprint"), "GET /admin/certificates lists them")
	}
	return nil, nil
}

func (a *api) getApp(*http.Request) (any, error) { return a.Entra.App(), nil }

// updateApp changes what the request names, and leaves the rest.
func (a *api) updateApp(r *http.Request) (any, error) {
	app := a.Entra.App()
	if err := read(r, &app); err != nil {
		return nil, err
	}
	a.Entra.SetApp(app)
	return app, nil
}

func (a *api) listSecrets(*http.Request) (any, error) {
	return struct {
		Secrets []entra.Secret `json:"secrets"`
	}{a.Entra.Secrets()}, nil
}

func (a *api) addSecret(r *http.Request) (any, error) {
	var in struct {
		Secret  string     `json:"secret"`
		Expires *time.Time `json:"expires"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Secret == "" {
		return nil, invalid("secret", "the secret is empty", "write the new client secret")
	}
	var expires time.Time
	if in.Expires != nil {
		expires = *in.Expires
	}
	return created{a.Entra.AddSecret(in.Secret, expires)}, nil
}

func (a *api) removeSecret(r *http.Request) (any, error) {
	if !a.Entra.RemoveSecret(r.PathValue("id")) {
		return nil, missing("secret", r.PathValue("id"), "GET /admin/secrets lists them")
	}
	return nil, nil
}

func (a *api) listTrusts(*http.Request) (any, error) {
	return struct {
		Credentials []entra.FederatedCredential `json:"federatedCredentials"`
	}{a.Entra.FederatedCredentials()}, nil
}

func (a *api) addTrust(r *http.Request) (any, error) {
	var in entra.FederatedCredential
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Issuer == "" {
		in.Issuer = entra.SimulatedIssuer
	}
	if in.Name == "" || in.Subject == "" {
		return nil, invalid("subject", "name or subject is missing", `write {"name": "kubernetes", "subject": "system:serviceaccount:rooms:worker"}`)
	}
	if err := a.Entra.AddFederatedCredential(in); err != nil {
		return nil, &Error{status: http.StatusConflict, Message: err.Error(), Field: "name", Hint: "remove the other one first"}
	}
	return created{in}, nil
}

func (a *api) removeTrust(r *http.Request) (any, error) {
	if !a.Entra.RemoveFederatedCredential(r.PathValue("name")) {
		return nil, missing("federated credential", r.PathValue("name"), "GET /admin/federated-credentials lists them")
	}
	return nil, nil
}

func (a *api) setIssuer(r *http.Request) (any, error) {
	var in struct {
		Issuer string          `json:"issuer"`
		JWKS   json.RawMessage `json:"jwks"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Issuer == "" || in.Issuer == entra.SimulatedIssuer {
		return nil, invalid("issuer", "none, or the simulator's own", "give the issuer's URL; the simulator's own key is known")
	}
	if err := a.Entra.SetIssuer(in.Issuer, in.JWKS); err != nil {
		return nil, invalid("jwks", err.Error(), "give the issuer's JSON Web Key Set with its RSA keys")
	}
	return nil, nil
}

func (a *api) issueFederatedToken(r *http.Request) (any, error) {
	var in struct {
		Issuer   string          `json:"issuer"`
		Subject  string          `json:"subject"`
		Audience string          `json:"audience"`
		Lifetime faults.Duration `json:"lifetime"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Subject == "" {
		return nil, invalid("subject", "the subject is empty", "write the one that the federated credential trusts")
	}
	token, err := a.Entra.IssueFederatedToken(entra.FederatedToken{
		Issuer: in.Issuer, Subject: in.Subject, Audience: in.Audience, Lifetime: in.Lifetime.Std(),
	})
	if err != nil {
		return nil, err
	}
	return created{struct {
		Token string `json:"token"`
	}{token}}, nil
}
