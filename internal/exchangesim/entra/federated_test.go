package entra

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

const worker = "system:serviceaccount:rooms:worker"

func federatedForm(token string) url.Values {
	v := form("client_assertion", token, "client_assertion_type", assertionType)
	v.Del("client_secret")
	return v
}

// Microsoft's library signs in with a token that it reads anew each time, as workload identity does.
func TestMSAL_Federated(t *testing.T) {
	s := New(Options{})
	srv := httptest.NewTLSServer(s)
	defer srv.Close()
	if err := s.AddFederatedCredential(FederatedCredential{Name: "k8s", Issuer: SimulatedIssuer, Subject: worker}); err != nil {
		t.Fatal(err)
	}
	read := 0
	cred := confidential.NewCredFromAssertionCallback(func(context.Context, confidential.AssertionRequestOptions) (string, error) {
		read++
		return s.IssueFederatedToken(FederatedToken{Subject: worker})
	})
	c, err := confidential.New(srv.URL+"/"+DefaultTenant, DefaultAppID, cred,
		confidential.WithHTTPClient(srv.Client()), confidential.WithInstanceDiscovery(false))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.AcquireTokenByCredential(context.Background(), []string{scope}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Stats().ByCredential["client_credentials/federated"]; read != 1 || n != (CredentialStats{1, 1}) {
		t.Errorf("the token was read %d times, and used %+v", read, n)
	}
	if tok := s.Tokens()[0]; tok.SignIn != "federated" || !tok.Permitted() {
		t.Errorf("token %+v", tok)
	}
}

func TestFederated_Refusals(t *testing.T) {
	s := New(Options{})
	srv := httptest.NewServer(s)
	defer srv.Close()
	token := func(f FederatedToken) string {
		text, err := s.IssueFederatedToken(f)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := token(FederatedToken{Subject: worker})
	if code := codeOf(t, srv, federatedForm(good)); code != 70025 {
		t.Errorf("without any trust: %d", code)
	}
	for _, c := range []FederatedCredential{
		{Name: "other", Issuer: SimulatedIssuer, Subject: "system:serviceaccount:other:worker"},
		{Name: "k8s", Issuer: SimulatedIssuer, Subject: worker},
		{Name: "unknown keys", Issuer: "https://elsewhere.example", Subject: worker},
	} {
		if err := s.AddFederatedCredential(c); err != nil {
			t.Fatal(err)
		}
	}
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct {
		token string
		code  int
	}{
		"good":                          {good, 0},
		"another issuer":                {token(FederatedToken{Issuer: SimulatedIssuer + "/", Subject: worker}), 700211},
		"another subject":               {token(FederatedToken{Subject: "system:serviceaccount:rooms:Worker"}), 700213},
		"another audience":              {token(FederatedToken{Subject: worker, Audience: "https://kubernetes.default.svc"}), 700212},
		"expired":                       {token(FederatedToken{Subject: worker, Lifetime: -time.Hour}), 700024},
		"issuer whose keys are unknown": {token(FederatedToken{Issuer: "https://elsewhere.example", Subject: worker}), 50027},
		"changed signature":             {parts[0] + "." + parts[1] + "." + strings.ToUpper(parts[2]), 50027},
		"no signature":                  {parts[0] + "." + parts[1] + ".", 50027},
		"no token":                      {"x", 50027},
	} {
		if code := codeOf(t, srv, federatedForm(c.token)); code != c.code {
			t.Errorf("%s: %d, want %d", name, code, c.code)
		}
	}
	if _, err := s.IssueFederatedToken(FederatedToken{}); err == nil {
		t.Error("a token without a subject was issued")
	}
}

// An issuer of somebody else's is known by its key set.
func TestFederated_IssuersByKeySet(t *testing.T) {
	s := New(Options{})
	srv := httptest.NewServer(s)
	defer srv.Close()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	set := fmt.Sprintf(`{"keys":[{"kty":"EC","kid":"0"},{"kty":"RSA","kid":"1","alg":"RS256","n":%q,"e":%q}]}`,
		b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes()))
	const issuer = "https://k8s.example"
	if err := s.SetIssuer(issuer, []byte(set)); err != nil {
		t.Fatal(err)
	}
	if err := s.AddFederatedCredential(FederatedCredential{Name: "k8s", Issuer: issuer, Subject: worker}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token := func(id string) string {
		text, err := signRS256(key, id, map[string]any{"iss": issuer, "sub": worker, "aud": FederatedAudience, "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if a, b := codeOf(t, srv, federatedForm(token("1"))), codeOf(t, srv, federatedForm(token("2"))); a != 0 || b != 50027 {
		t.Errorf("the known key got %d, another one %d", a, b)
	}
	for _, bad := range []string{`{`, `{"keys":[]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`} {
		if s.SetIssuer(issuer, []byte(bad)) == nil {
			t.Errorf("%s is taken for a key set", bad)
		}
	}
}

func TestFederatedCredentials_Limits(t *testing.T) {
	s := New(Options{})
	add := func(name, subject string) error {
		return s.AddFederatedCredential(FederatedCredential{Name: name, Issuer: "https://k8s.example", Subject: subject})
	}
	for i := range maxFederated {
		if err := add(fmt.Sprint(i), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if add("20", "20") == nil {
		t.Error("a 21st is taken")
	}
	if !s.RemoveFederatedCredential("7") || s.RemoveFederatedCredential("7") {
		t.Error("RemoveFederatedCredential does not tell what was")
	}
	if add("8", "x") == nil || add("x", "8") == nil || add("7", "7") != nil {
		t.Error("names, or issuer and subject, need not differ")
	}
}
