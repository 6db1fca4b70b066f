package entra

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"roomsync/internal/tokens"
)

// maxToken bounds a token file; Kubernetes' tokens have about a kilobyte.
const maxToken = 64 << 10

// TokenFile reads the token of another issuer from a file each time, as Options.Assertion wants it: Kubernetes renews
// the token that it projects there about once an hour. The token is not verified, which is Entra's task, but one that
// has expired is not sent.
func TokenFile(path string) func() (tokens.Secret, error) {
	return func() (tokens.Secret, error) {
		text, err := readToken(path)
		if err != nil {
			return tokens.Secret{}, err
		}
		if err := usable(path, text, time.Now()); err != nil {
			return tokens.Secret{}, err
		}
		return tokens.NewSecret(text), nil
	}
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the federated token file %s does not exist: project a service account token with the audience api://AzureADTokenExchange there", path)
	}
	if err != nil {
		return "", fmt.Errorf("the federated token cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("the federated token cannot be read: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// usable looks at the token's form and its exp claim (RFC 7519, section 4.1.4).
func usable(path, text string, now time.Time) error {
	if text == "" {
		return fmt.Errorf("the federated token file %s is empty: look at what is to write it", path)
	}
	var claims struct {
		Expires json.Number `json:"exp"`
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return fmt.Errorf("the federated token file %s holds no JSON Web Token: look at what is to write it", path)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(data, &claims) != nil {
		return fmt.Errorf("the federated token file %s holds no JSON Web Token: look at what is to write it", path)
	}
	if exp, err := claims.Expires.Float64(); err == nil && !now.Before(time.Unix(int64(exp), 0)) {
		return fmt.Errorf("the federated token in %s expired at %s: look at what is to renew it, and at this host's clock",
			path, time.Unix(int64(exp), 0).UTC().Format(time.RFC3339))
	}
	return nil
}
