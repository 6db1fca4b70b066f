package entra

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	simulated "roomsync/internal/exchangesim/entra"
	"roomsync/internal/tokens"
)

// pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

var pairA, pairB = sync.OnceValue(newPair), sync.OnceValue(newPair)

func newPair() pair {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "roomsync"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return pair{cert, key}
}

// hidden signs with a key that nobody can read, as one in a Windows store is.
type hidden struct{ key *rsa.PrivateKey }

func (h hidden) Public() crypto.PublicKey { return h.key.Public() }

func (h hidden) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return h.key.Sign(r, digest, o)
}

func (a *authority) certificateOptions(p pair) Options {
	o := a.options()
	o.Secret = nil
	o.Certificate = func() (*x509.Certificate, crypto.Signer, error) { return p.cert, hidden{p.key}, nil }
	return o
}

// decode takes an assertion apart and checks its signature as RFC 7518, section 3.5, has it.
func decode(t *testing.T, text string, key *rsa.PublicKey) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", text)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(data, into) != nil {
			t.Fatalf("part %d of %q cannot be decoded", i, text)
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: sha256.Size}) != nil {
		t.Errorf("the signature of %q is wrong", text)
	}
	return header, claims
}

func TestCertificate_Assertion(t *testing.T) {
	a := newAuthority(t, nil)
	c := newClient(t, a.certificateOptions(pairA()))
	before := time.Now().Unix()
	var ids []any
	for i := range 2 {
		if tok, err := c.Token(t.Context(), tokens.Request{}); err != nil || tok.Value.Reveal() != fmt.Sprintf("token-%d", i+1) {
			t.Fatalf("%v, %v", tok, err)
		}
		f := a.forms[i]
		for k, want := range map[string]string{
			"grant_type": "client_credentials", "client_id": "the-app", "client_secret": "",
			"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		} {
			if f.Get(k) != want {
				t.Errorf("%s is %q, want %q", k, f.Get(k), want)
			}
		}
		header, claims := decode(t, f.Get("client_assertion"), &pairA().key.PublicKey)
		thumbprint := sha256.Sum256(pairA().cert.Raw)
		if len(header) != 3 || header["alg"] != "PS256" || header["typ"] != "JWT" || header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(thumbprint[:]) {
			t.Errorf("header %v", header)
		}
		if claims["iss"] != "the-app" || claims["sub"] != "the-app" || claims["aud"] != a.srv.URL+"/the-tenant/oauth2/v2.0/token" {
			t.Errorf("claims %v", claims)
		}
		nbf, exp := int64(claims["nbf"].(float64)), int64(claims["exp"].(float64))
		if nbf < before || nbf > time.Now().Unix() || exp-nbf != 600 {
			t.Errorf("good from %d to %d", nbf, exp)
		}
		ids = append(ids, claims["jti"])
	}
	if ids[0] == ids[1] || ids[0] == "" {
		t.Errorf("ids %v", ids)
	}
	if a.discovery != 1 {
		t.Errorf("the discovery document was read %d times", a.discovery)
	}
}

func TestCertificate_TakesUpARotatedOne(t *testing.T) {
	a := newAuthority(t, nil)
	present := pairA()
	o := a.certificateOptions(present)
	o.Certificate = func() (*x509.Certificate, crypto.Signer, error) { return present.cert, present.key, nil }
	c := newClient(t, o)
	for i, p := range []pair{pairA(), pairB()} {
		present = p
		if _, err := c.Token(t.Context(), tokens.Request{}); err != nil {
			t.Fatal(err)
		}
		decode(t, a.forms[i].Get("client_assertion"), &p.key.PublicKey)
	}
}

func TestCertificate_ThatCannotBeUsed(t *testing.T) {
	a := newAuthority(t, nil)
	o := a.certificateOptions(pairA())
	missing := errors.New("there is no certificate with the thumbprint X")
	o.Certificate = func() (*x509.Certificate, crypto.Signer, error) { return nil, nil, missing }
	if _, err := newClient(t, o).Token(t.Context(), tokens.Request{}); !errors.Is(err, missing) || asError(t, err).Hint != "" {
		t.Errorf("%v", err)
	}
	o.Certificate = func() (*x509.Certificate, crypto.Signer, error) { return pairA().cert, broken{}, nil }
	if _, err := newClient(t, o).Token(t.Context(), tokens.Request{}); !errors.Is(err, errKey) {
		t.Errorf("%v", err)
	}
	if len(a.forms) != 0 {
		t.Errorf("%d requests were sent", len(a.forms))
	}
}

var errKey = errors.New(`"Keyset does not exist"`)

// broken is a key that this user may not use.
type broken struct{}

func (broken) Public() crypto.PublicKey                                  { return nil }
func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errKey }

// TestCertificate_FromTheSimulatedEntra, which checks assertions by itself.
func TestCertificate_FromTheSimulatedEntra(t *testing.T) {
	sim := simulated.New(simulated.Options{})
	if err := sim.AddCertificate(pairA().cert); err != nil {
		t.Fatal(err)
	}
	for name, srv := range map[string]*httptest.Server{"http": httptest.NewServer(sim), "https": httptest.NewTLSServer(sim)} {
		t.Run(name, func(t *testing.T) {
			defer srv.Close()
			o := Options{TenantID: simulated.DefaultTenant, ClientID: simulated.DefaultAppID, AuthorityURL: srv.URL, Transport: srv.Client().Transport}
			present := pairA()
			o.Certificate = func() (*x509.Certificate, crypto.Signer, error) { return present.cert, hidden{present.key}, nil }
			c := newClient(t, o)
			if _, err := c.Token(t.Context(), tokens.Request{}); err != nil {
				t.Fatal(err)
			}
			present = pairB()
			_, err := c.Token(t.Context(), tokens.Request{})
			if e := asError(t, err); e.AADSTS != 700027 || !strings.Contains(e.Hint, "Certificates & secrets") {
				t.Errorf("a certificate that is not registered: %+v", e)
			}
			present.cert = pairA().cert
			_, err = c.Token(t.Context(), tokens.Request{})
			if e := asError(t, err); e.AADSTS != 700027 {
				t.Errorf("a key of another certificate: %+v", e)
			}
		})
	}
}

// TestToken_Canaries lets every kind of sign-in be refused by a service that repeats all it was sent.
func TestToken_Canaries(t *testing.T) {
	file := t.TempDir() + "/token"
	federatedToken := jwt(t, time.Now().Add(time.Hour))
	write(t, file, federatedToken)
	answers := map[string]answer{
		"refused":  refusing(400, "invalid_grant", 50126),
		"unknown":  refusing(401, "you sent "+canary, 1),
		"trouble":  refusing(503, "temporarily_unavailable", 90033),
		"no JSON":  echo(200, "token-from-a-broken-answer"),
		"no token": echo(200, `{"expires_in":3600}`),
		"no life":  echo(200, `{"access_token":"token-from-a-broken-answer"}`),
	}
	for name, answer := range answers {
		a := newAuthority(t, answer)
		user, cert, fed := a.userOptions(), a.certificateOptions(pairA()), a.options()
		fed.Secret, fed.Assertion = nil, TokenFile(file)
		for kind, o := range map[string]Options{"secret": a.options(), "certificate": cert, "federated": fed, "delegated": user} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				sent := len(a.forms)
				_, err := newClient(t, o).Token(t.Context(), tokens.Request{})
				if err == nil || len(a.forms) != sent+1 {
					t.Fatalf("%v after %d requests", err, len(a.forms)-sent)
				}
				assertion := a.forms[sent].Get("client_assertion")
				secrets := []string{pairA().key.D.String(), fmt.Sprintf("%x", pairA().key.D), federatedToken}
				if assertion != "" {
					secrets = append(secrets, strings.Split(assertion, ".")[1:]...)
				}
				wantNoSecret(t, err, slices.DeleteFunc(secrets, func(s string) bool { return s == "" })...)
			})
		}
	}
}
