package entra

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" // a thumbprint is a name here, as in the certificate store of Windows
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// assertionType is the only client_assertion_type there is (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// clockSkew is how far an assertion's times may be off.
const clockSkew = 5 * time.Minute

// Certificate is a certificate that is registered for the app.
type Certificate struct {
	Thumbprint string    `json:"thumbprint"` // SHA-1 in hexadecimal, as Windows and Entra show it
	Subject    string    `json:"subject"`
	NotBefore  time.Time `json:"notBefore"`
	NotAfter   time.Time `json:"notAfter"`
}

// Thumbprint names a certificate as Windows and Entra do: the SHA-1 of its DER form in upper-case hexadecimal.
func Thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// AddCertificate registers a certificate for the app, whose private key then proves the app's identity. Its key must be
// RSA, as Entra demands.
func (s *Server) AddCertificate(c *x509.Certificate) error {
	if _, ok := c.PublicKey.(*rsa.PublicKey); !ok {
		return errors.New("the certificate's key is not RSA: Entra accepts no other for an app")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certs = append(s.certs, c)
	return nil
}

// RemoveCertificate takes a certificate away and says whether it was registered.
func (s *Server) RemoveCertificate(thumbprint string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.certs)
	s.certs = slices.DeleteFunc(slices.Clone(s.certs), func(c *x509.Certificate) bool {
		return strings.EqualFold(Thumbprint(c), thumbprint)
	})
	return len(s.certs) < n
}

// Certificates lists what is registered.
func (s *Server) Certificates() []Certificate {
	all := []Certificate{}
	for _, c := range s.certificates() {
		all = append(all, Certificate{Thumbprint(c), c.Subject.String(), c.NotBefore.UTC(), c.NotAfter.UTC()})
	}
	return all
}

func (s *Server) certificates() []*x509.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.certs
}

// jwtParts is a JSON Web Token taken apart.
type jwtParts struct {
	header struct {
		Algorithm  string `json:"alg"`
		Thumb      string `json:"x5t"`
		ThumbSHA25 string `json:"x5t#S256"`
		KeyID      string `json:"kid"`
	}
	claims struct {
		Audience  audience `json:"aud"`
		Issuer    string   `json:"iss"`
		Subject   string   `json:"sub"`
		Expires   int64    `json:"exp"`
		NotBefore int64    `json:"nbf"`
	}
	signed    string // what the signature is over
	signature []byte
}

// audience is the one audience of a token. It may stand in a list (RFC 7519, 4.1.3); of several none is taken.
type audience string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience(one)
		return nil
	}
	var all []string
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if len(all) == 1 {
		*a = audience(all[0])
	}
	return nil
}

func splitJWT(text string) (p jwtParts, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return p, false
	}
	for i, into := range []any{&p.header, &p.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return p, false
		}
	}
	var err error
	p.signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	p.signed = parts[0] + "." + parts[1]
	return p, err == nil
}

// assertion checks a client assertion: one that names a certificate, or one of an issuer that the app trusts.
func (s *Server) assertion(req request) *refusal {
	p, ok := splitJWT(req.form.Get("client_assertion"))
	switch {
	case !ok || req.form.Get("client_assertion_type") != assertionType:
		return &refusal{code: 50027}
	case p.isFederated(req.app):
		return s.federated(p)
	}
	return s.byCertificate(req, p)
}

// isFederated tells a token of another issuer from one that the app has signed itself.
func (p jwtParts) isFederated(app string) bool {
	return p.header.Thumb == "" && p.header.ThumbSHA25 == "" && !strings.EqualFold(p.claims.Issuer, app)
}

func (s *Server) byCertificate(req request, p jwtParts) *refusal {
	cert := s.signerOf(p)
	if cert == nil || !p.signedBy(cert.PublicKey.(*rsa.PublicKey)) {
		return &refusal{code: 700027}
	}
	switch now := s.opts.Now(); {
	case !strings.EqualFold(p.claims.Issuer, req.app) || !strings.EqualFold(p.claims.Subject, req.app):
		return &refusal{code: 700021}
	case !slices.Contains(req.audiences, string(p.claims.Audience)):
		return &refusal{code: 700023}
	case s.outOfTime(p) != nil:
		return s.outOfTime(p)
	case now.Before(cert.NotBefore) || now.After(cert.NotAfter):
		return &refusal{code: 1000502}
	}
	return nil
}

func (s *Server) outOfTime(p jwtParts) *refusal {
	now := s.opts.Now()
	from, to := time.Unix(p.claims.NotBefore, 0), time.Unix(p.claims.Expires, 0)
	if !now.Add(clockSkew).Before(from) && now.Add(-clockSkew).Before(to) {
		return nil
	}
	return &refusal{code: 700024, field: fmt.Sprintf(" Current time: %s, assertion valid from %s, expiry time of assertion %s.",
		now.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))}
}

// signerOf finds the registered certificate that the token's header names; nil when there is none.
func (s *Server) signerOf(p jwtParts) *x509.Certificate {
	for _, c := range s.certificates() {
		sha, sha2 := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
		if thumb := p.header.ThumbSHA25; thumb != "" && sameThumb(thumb, sha2[:]) || thumb == "" && sameThumb(p.header.Thumb, sha[:]) {
			return c
		}
	}
	return nil
}

// sameThumb compares with base64 in either alphabet: the standard (RFC 7515, 4.1.7) demands base64url, and MSAL for Go
// writes the other one.
func sameThumb(text string, sum []byte) bool {
	text = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text)
	return text == base64.RawURLEncoding.EncodeToString(sum)
}

func (p jwtParts) signedBy(key *rsa.PublicKey) bool {
	digest := sha256.Sum256([]byte(p.signed))
	switch p.header.Algorithm {
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], p.signature) == nil
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, digest[:], p.signature, nil) == nil
	}
	return false
}
