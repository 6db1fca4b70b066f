package admin

import (
	"crypto/x509"
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
