package entra

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

func certificate(t *testing.T) (*x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ROOMS"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestMSAL_Certificate(t *testing.T) {
	s := New(Options{})
	srv := httptest.NewTLSServer(s)
	defer srv.Close()
	cert, key := certificate(t)
	cred, err := confidential.NewCredFromCert([]*x509.Certificate{cert}, key)
	if err != nil {
		t.Fatal(err)
	}
	acquire := func() error {
		c, err := confidential.New(srv.URL+"/"+DefaultTenant, DefaultAppID, cred,
			confidential.WithHTTPClient(srv.Client()), confidential.WithInstanceDiscovery(false))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.AcquireTokenByCredential(context.Background(), []string{scope})
		return err
	}
	if err := acquire(); err == nil || s.Stats().ByCode[700027] != 1 {
		t.Errorf("with an unknown certificate: %v", err)
	}
	if err := s.AddCertificate(cert); err != nil {
		t.Fatal(err)
	}
	if err := acquire(); err != nil {
		t.Error(err)
	}
	if all := s.Certificates(); len(all) != 1 || all[0].Thumbprint != Thumbprint(cert) || all[0].Subject != "CN=ROOMS" {
		t.Errorf("certificates %+v", all)
	}
	if !s.RemoveCertificate(Thumbprint(cert)) || s.RemoveCertificate(Thumbprint(cert)) {
		t.Error("RemoveCertificate does not tell what was")
	}
	if err := acquire(); err == nil {
		t.Error("a removed certificate still works")
	}
}

// TestAssertion_Refusals changes one thing at a time in an assertion that is accepted.
func TestAssertion_Refusals(t *testing.T) {
	s := New(Options{})
	srv := httptest.NewServer(s)
	defer srv.Close()
	cert, key := certificate(t)
	_, other := certificate(t)
	if err := s.AddCertificate(cert); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := map[string]any{
		"aud": srv.URL + "/sim-tenant/oauth2/v2.0/token", "iss": DefaultAppID, "sub": DefaultAppID,
		"nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "jti": "1",
	}
	with := func(k string, v any) map[string]any {
		c := map[string]any{}
		for k, v := range good {
			c[k] = v
		}
		c[k] = v
		return c
	}
	for name, c := range map[string]struct {
		claims map[string]any
		key    *rsa.PrivateKey
		kind   string
		code   int // 0: accepted
	}{
		"good":               {good, key, assertionType, 0},
		"audience is issuer": {with("aud", "https://login.microsoftonline.com/sim-tenant/v2.0"), key, assertionType, 0},
		"clock a bit off":    {with("nbf", now.Add(4*time.Minute).Unix()), key, assertionType, 0},
		"other key":          {good, other, assertionType, 700027},
		"other audience":     {with("aud", "https://elsewhere.example/token"), key, assertionType, 700023},
		"other app":          {with("sub", "somebody"), key, assertionType, 700021},
		"expired":            {with("exp", now.Add(-6*time.Minute).Unix()), key, assertionType, 700024},
		"not yet":            {with("nbf", now.Add(6*time.Minute).Unix()), key, assertionType, 700024},
		"other type":         {good, key, "urn:other", 50027},
	} {
		t.Run(name, func(t *testing.T) {
			v := form("client_assertion", sign(t, c.key, cert, c.claims), "client_assertion_type", c.kind)
			v.Del("client_secret")
			status, doc := ask(t, srv, DefaultTenant, v)
			codes, _ := doc["error_codes"].([]any)
			switch {
			case c.code == 0 && status != 200:
				t.Errorf("%d %v", status, doc)
			case c.code != 0 && (status != 401 || len(codes) != 1 || codes[0] != float64(c.code)):
				t.Errorf("%d %v, want %d", status, doc, c.code)
			}
		})
	}
}

func TestAssertion_CertificateHasExpired(t *testing.T) {
	now := time.Now().Add(2 * time.Hour)
	s := New(Options{Now: func() time.Time { return now }})
	srv := httptest.NewServer(s)
	defer srv.Close()
	cert, key := certificate(t) // good for an hour
	if err := s.AddCertificate(cert); err != nil {
		t.Fatal(err)
	}
	v := form("client_assertion", sign(t, key, cert, map[string]any{
		"aud": srv.URL + "/sim-tenant/v2.0", "iss": DefaultAppID, "sub": DefaultAppID, "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}), "client_assertion_type", assertionType)
	v.Del("client_secret")
	if _, doc := ask(t, srv, DefaultTenant, v); doc["error_codes"].([]any)[0] != 1000502.0 {
		t.Errorf("%v", doc)
	}
}

// sign writes the assertion as older libraries do: RS256 and the SHA-1 thumbprint.
func sign(t *testing.T, key *rsa.PrivateKey, cert *x509.Certificate, claims map[string]any) string {
	t.Helper()
	sum := sha1.Sum(cert.Raw)
	header, _ := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "x5t": base64.RawURLEncoding.EncodeToString(sum[:])})
	body, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(body)
	digest := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}
