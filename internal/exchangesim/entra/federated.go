package entra

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// FederatedAudience is what a federated token is made out to.
const FederatedAudience = "api://AzureADTokenExchange"

// SimulatedIssuer is the issuer whose tokens the simulator makes itself. Its key is always known.
const SimulatedIssuer = "https://issuer.contoso.example"

// FederatedCredential is the app's trust in the tokens of another issuer
// (https://learn.microsoft.com/entra/workload-id/workload-identity-federation). Issuer, subject and audience must match
// to the letter.
type FederatedCredential struct {
	Name     string `json:"name"`
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	Audience string `json:"audience"` // FederatedAudience when empty
}

// maxFederated is how many federated credentials an app may have.
const maxFederated = 20

// AddFederatedCredential registers a trust for the app.
func (s *Server) AddFederatedCredential(c FederatedCredential) error {
	if c.Audience == "" {
		c.Audience = FederatedAudience
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.trusts {
		if x.Name == c.Name || x.Issuer == c.Issuer && x.Subject == c.Subject {
			return fmt.Errorf("the federated credential %q has the same name, or the same issuer and subject: Entra demands that they differ", x.Name)
		}
	}
	if len(s.trusts) == maxFederated {
		return errors.New("the app has 20 federated credentials, and Entra allows no more")
	}
	s.trusts = append(s.trusts, c)
	return nil
}

// RemoveFederatedCredential takes a trust away and says whether there was one with that name.
func (s *Server) RemoveFederatedCredential(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.trusts)
	s.trusts = slices.DeleteFunc(s.trusts, func(c FederatedCredential) bool { return c.Name == name })
	return len(s.trusts) < n
}

// FederatedCredentials lists the trusts.
func (s *Server) FederatedCredentials() []FederatedCredential {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]FederatedCredential{}, s.trusts...)
}

// SetIssuer makes the keys of an issuer known, in the form in which issuers publish them: a JSON Web Key Set (RFC 7517)
// with RSA keys. The real Entra fetches it from the issuer.
func (s *Server) SetIssuer(issuer string, jwks []byte) error {
	keys, err := parseKeys(jwks)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issuers[issuer] = keys
	return nil
}

// parseKeys reads the RSA keys of a key set. Others are left out, as RS256 is the only algorithm that Entra accepts.
func parseKeys(jwks []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []struct {
			Kind     string `json:"kty"`
			ID       string `json:"kid"`
			Modulus  string `json:"n"`
			Exponent string `json:"e"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("not a JSON Web Key Set: %w", err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		if k.Kind != "RSA" {
			continue
		}
		n, err1 := base64.RawURLEncoding.DecodeString(k.Modulus)
		e, err2 := base64.RawURLEncoding.DecodeString(k.Exponent)
		if err1 != nil || err2 != nil || len(n) < 128 || len(e) == 0 || len(e) > 4 {
			return nil, fmt.Errorf("key %q: n and e must be base64url, and n of 1024 bits at least", k.ID)
		}
		keys[k.ID] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	if len(keys) == 0 {
		return nil, errors.New("no RSA key in the set")
	}
	return keys, nil
}

// federated checks a client assertion that another issuer has signed.
func (s *Server) federated(p jwtParts) *refusal {
	trusts := s.FederatedCredentials()
	if len(trusts) == 0 {
		return &refusal{code: 70025}
	}
	match := func(claim string, of func(FederatedCredential) string) bool {
		trusts = slices.DeleteFunc(trusts, func(c FederatedCredential) bool { return of(c) != claim })
		return len(trusts) > 0
	}
	switch {
	case !match(p.claims.Issuer, func(c FederatedCredential) string { return c.Issuer }):
		return &refusal{code: 700211, field: p.claims.Issuer}
	case !match(p.claims.Subject, func(c FederatedCredential) string { return c.Subject }):
		return &refusal{code: 700213, field: p.claims.Subject}
	case !match(string(p.claims.Audience), func(c FederatedCredential) string { return c.Audience }):
		return &refusal{code: 700212, field: string(p.claims.Audience)}
	}
	key := s.issuerKey(p.claims.Issuer, p.header.KeyID)
	if key == nil || p.header.Algorithm != "RS256" || !p.signedBy(key) {
		return &refusal{code: 50027} // "External ID token from issuer failed signature verification" is among its reasons
	}
	return s.outOfTime(p)
}

func (s *Server) issuerKey(issuer, id string) *rsa.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issuers[issuer][id]
}

// FederatedToken is what a token of the simulated issuer says.
type FederatedToken struct {
	Issuer   string        // SimulatedIssuer when empty; another one makes a token with the wrong signer
	Subject  string        // such as system:serviceaccount:rooms:worker
	Audience string        // FederatedAudience when empty
	Lifetime time.Duration // an hour when 0; less than 0: it has expired already
}

// IssueFederatedToken makes a token as an identity provider such as Kubernetes would put it into a file.
func (s *Server) IssueFederatedToken(t FederatedToken) (string, error) {
	if t.Subject == "" {
		return "", errors.New("a federated token needs a subject")
	}
	key, err := s.issuerSigner()
	if err != nil {
		return "", err
	}
	set := func(p *string, otherwise string) {
		if *p == "" {
			*p = otherwise
		}
	}
	set(&t.Issuer, SimulatedIssuer)
	set(&t.Audience, FederatedAudience)
	if t.Lifetime == 0 {
		t.Lifetime = time.Hour
	}
	now := s.opts.Now()
	from := now
	if t.Lifetime < 0 {
		from = now.Add(2 * t.Lifetime)
	}
	return signRS256(key, simulatedKeyID, map[string]any{
		"iss": t.Issuer, "sub": t.Subject, "aud": []string{t.Audience}, "jti": newUUID(),
		"iat": from.Unix(), "nbf": from.Unix(), "exp": now.Add(t.Lifetime).Unix(),
	})
}

const simulatedKeyID = "simulated-1"

// issuerSigner is the simulated issuer's key, made when it is first needed.
func (s *Server) issuerSigner() (*rsa.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.issuerPrivate == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		s.issuerPrivate = key
		s.issuers[SimulatedIssuer] = map[string]*rsa.PublicKey{simulatedKeyID: &key.PublicKey}
	}
	return s.issuerPrivate, nil
}

func signRS256(key *rsa.PrivateKey, id string, claims any) (string, error) {
	header, _ := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": id})
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(body)
	digest := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	return strings.Join([]string{text, base64.RawURLEncoding.EncodeToString(sig)}, "."), nil
}
