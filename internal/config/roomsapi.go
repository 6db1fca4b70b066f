package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"roomsync/internal/tokens"
)

const groupAPI = "ROOMS over HTTP"

// API says how a ROOMS is served that does not speak NATS.
type API struct {
	WebhookURL string // where events are posted, "" for nowhere

	apiTokens      secret
	webhookSecrets secret
}

func (a *API) declare(s *settings) {
	s.group = groupAPI
	s.secret(&a.apiTokens, "api-token-file", "", "file with the bearer tokens of the HTTP API, a name and a token on each line; without it the API is off")
	s.url(&a.WebhookURL, "webhook-url", "", "where events are posted; https, or http on this host")
	s.secret(&a.webhookSecrets, "webhook-secret-file", "", "file with the secrets that sign what is posted (whsec_…), one a line; all of them sign")
	a.apiTokens.lines, a.webhookSecrets.lines = true, true
	url := s.named("webhook-url")
	check := url.parse
	url.parse = func(t string) error { // none is fine here
		if t == "" {
			return nil
		}
		return check(t)
	}
}

// check is told the address that is served on.
func (a *API) check(s *settings, http string) {
	if a.apiTokens.given() {
		if _, err := a.APITokens(); err != nil {
			s.fault("api-token-file", err.Error())
		}
		if http == "" {
			s.fault("http", "is off, and the HTTP API needs it (--api-token-file is given): give an address")
		}
	}
	if a.WebhookURL == "" {
		if a.webhookSecrets.given() {
			s.missing("webhook-url", "--webhook-secret-file is given: say where events are to be posted")
		}
		return
	}
	if insecure(a.WebhookURL) {
		s.fault("webhook-url", "must be https, or http on this host: what is posted holds personal data")
	}
	if !a.webhookSecrets.given() {
		s.missing("webhook-secret-file", "what is posted is signed: echo whsec_$(openssl rand -base64 32) makes a secret, which the receiver needs as well")
	} else if _, err := a.WebhookSecrets(); err != nil {
		s.fault("webhook-secret-file", err.Error())
	}
}

// APIOn reports whether the HTTP API is to be served.
func (a *API) APIOn() bool { return a.apiTokens.given() }

// APIToken is a bearer token and the name of who has it.
type APIToken struct {
	Name  string
	Token tokens.Secret
}

var (
	apiTokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	apiToken     = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // RFC 6750, section 2.1
)

// APITokens reads the bearer tokens anew, each of at least 32 characters. Lines that are empty or begin with # are left out.
func (a *API) APITokens() ([]APIToken, error) {
	text, err := a.apiTokens.read()
	if err != nil {
		return nil, err
	}
	var all []APIToken
	for i, line := range strings.Split(text.Reveal(), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		t, problem := parseAPIToken(line)
		if problem == "" && slices.ContainsFunc(all, func(x APIToken) bool { return x.Name == t.Name || x.Token.Equal(t.Token) }) {
			problem = "has a name or a token that stands above already"
		}
		if problem != "" {
			return nil, fmt.Errorf("line %d %s", i+1, problem)
		}
		all = append(all, t)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no token in it")
	}
	return all, nil
}

func parseAPIToken(line string) (APIToken, string) {
	f := strings.Fields(line)
	switch {
	case len(f) != 2:
		return APIToken{}, "must be a name, a space and a token"
	case !apiTokenName.MatchString(f[0]):
		return APIToken{}, "must begin with a name of letters, digits, dots, underscores and hyphens, at most 64"
	case len(f[1]) < minKey:
		return APIToken{}, "has a token that is too short: openssl rand -hex 32 makes a good one"
	case len(f[1]) > 512 || !apiToken.MatchString(f[1]):
		return APIToken{}, "has a token with characters that a bearer token cannot have, or more than 512 of them: openssl rand -hex 32 makes a good one"
	}
	return APIToken{f[0], tokens.NewSecret(f[1])}, ""
}

// webhookSecretPrefix begins a secret of Standard Webhooks; what follows is base64.
const webhookSecretPrefix = "whsec_"

// WebhookSecrets reads the secrets that sign webhooks anew, as bytes: 24 to 64 of each, as Standard Webhooks has it.
func (a *API) WebhookSecrets() ([]tokens.Secret, error) {
	text, err := a.webhookSecrets.read()
	if err != nil {
		return nil, err
	}
	var all []tokens.Secret
	for i, line := range strings.Split(text.Reveal(), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, webhookSecretPrefix))
		if err != nil || !strings.HasPrefix(line, webhookSecretPrefix) || len(key) < 24 || len(key) > 64 {
			return nil, fmt.Errorf("line %d must be %s and the base64 of 24 to 64 bytes: echo whsec_$(openssl rand -base64 32) makes one", i+1, webhookSecretPrefix)
		}
		all = append(all, tokens.NewSecret(string(key)))
	}
	if len(all) == 0 {
		return nil, errors.New("there is no secret in it")
	}
	return all, nil
}
