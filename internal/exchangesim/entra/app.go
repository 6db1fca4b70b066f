package entra

import (
	"crypto/subtle"
	"slices"
	"time"
)

// App is the registration of the one app, as far as it can stand in the way of a token.
type App struct {
	Disabled bool `json:"disabled"`
	// Consent says whether an administrator has consented to the permissions. Without it the app's own token carries no
	// role, and no user gets one.
	Consent bool `json:"consent"`
	// PublicClient allows public client flows: the password grant without a credential of the app.
	PublicClient bool `json:"publicClient"`
	// Permission and DelegatedPermission say whether full_access_as_app and EWS.AccessAsUser.All are among the app's
	// permissions. What a token carries is decided when it is issued.
	Permission          bool `json:"permission"`
	DelegatedPermission bool `json:"delegatedPermission"`
}

// WorkingApp is an app that nothing stands in the way of.
func WorkingApp() App {
	return App{Consent: true, PublicClient: true, Permission: true, DelegatedPermission: true}
}

// App returns the registration.
func (s *Server) App() App {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.app
}

// SetApp changes the registration. Tokens that were issued before stay as they are.
func (s *Server) SetApp(a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app = a
}

// Secret is a client secret of the app, without its value.
type Secret struct {
	ID      string     `json:"id"`   // which people paste instead of the value
	Hint    string     `json:"hint"` // the value's first three characters, as the portal shows them
	Expires *time.Time `json:"expires,omitempty"`
}

type secret struct {
	Secret
	value string
}

// AddSecret adds a client secret to those there are. The zero time never comes.
func (s *Server) AddSecret(value string, expires time.Time) Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addSecret(value, expires)
}

func (s *Server) addSecret(value string, expires time.Time) Secret {
	n := secret{Secret{ID: newUUID(), Hint: value[:min(3, len(value))]}, value}
	if !expires.IsZero() {
		at := expires.UTC()
		n.Expires = &at
	}
	s.secrets = append(s.secrets, n)
	return n.Secret
}

// RemoveSecret takes a secret away and says whether there was one with that id.
func (s *Server) RemoveSecret(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.secrets)
	s.secrets = slices.DeleteFunc(s.secrets, func(x secret) bool { return x.ID == id })
	return len(s.secrets) < n
}

// SetSecret rotates the app's client secret: all old ones are refused from now on.
func (s *Server) SetSecret(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = nil
	s.addSecret(value, time.Time{})
}

// Secrets lists the app's secrets.
func (s *Server) Secrets() []Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Secret, len(s.secrets))
	for i, x := range s.secrets {
		all[i] = x.Secret
	}
	return all
}

// checkSecret says why a secret is not accepted. An expired one is known for what it is.
func (s *Server) checkSecret(value string) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	no := &refusal{code: 7000215}
	for _, x := range s.secrets {
		if subtle.ConstantTimeCompare([]byte(value), []byte(x.value)) != 1 {
			continue
		}
		if x.Expires == nil || s.opts.Now().Before(*x.Expires) {
			return nil
		}
		no = &refusal{code: 7000222}
	}
	return no
}
