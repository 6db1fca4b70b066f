package entra

import (
	"encoding/json"
	"net/http"
	"strings"

	"roomsync/internal/exchangesim/hook"
)

// scheme is how the client reached this server.
func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https://"
	}
	return "http://"
}

func (s *Server) knowsTenant(name string) bool {
	return strings.EqualFold(name, s.opts.Tenant) || strings.EqualFold(name, s.opts.Domain)
}

// discovery counts a request for a discovery document and lets a fault answer it.
func (s *Server) discovery(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.stats.Discovery++
		s.mu.Unlock()
		c, done := s.open(w, r, "discovery", "")
		defer done()
		if !c.before() {
			h(c, r)
		}
	}
}

// instanceDiscovery tells a client that its authority is a genuine one, as login.microsoftonline.com does for the
// hosts of the public cloud. The authority asked about may have another name than the host that is asked.
func (s *Server) instanceDiscovery(w http.ResponseWriter, r *http.Request) {
	host, tenant := r.Host, s.opts.Tenant
	if at := strings.Split(r.URL.Query().Get("authorization_endpoint"), "/"); len(at) > 3 && at[2] != "" {
		host, tenant = at[2], at[3]
	}
	reply(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": scheme(r) + host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []map[string]any{{
			"preferred_network": host, "preferred_cache": host, "aliases": []string{host},
		}},
	})
}

func (s *Server) openIDConfiguration(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("tenant")
	if !s.knowsTenant(name) {
		s.refuse(w, r, refusal{code: 90002, tenant: name})
		return
	}
	b := scheme(r) + r.Host + "/" + name // so that it works under any host name
	reply(w, http.StatusOK, map[string]any{
		"issuer":                 b + "/v2.0",
		"authorization_endpoint": b + "/oauth2/v2.0/authorize",
		"token_endpoint":         b + "/oauth2/v2.0/token",
		"jwks_uri":               b + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{
			"client_secret_post", "client_secret_basic", "private_key_jwt",
		},
		"response_types_supported": []string{"code", "id_token", "token"},
		"scopes_supported":         []string{"openid", "profile", "email", "offline_access"},
		"subject_types_supported":  []string{"pairwise"},
		"tenant_region_scope":      "EU",
		"cloud_instance_name":      "microsoftonline.com",
	})
}

// userRealm says that users are not federated: their passwords are checked here. MSAL asks before a password grant.
func (s *Server) userRealm(w http.ResponseWriter, r *http.Request) {
	user := r.PathValue("user")
	_, domain, _ := strings.Cut(user, "@")
	reply(w, http.StatusOK, map[string]any{
		"ver": "1.0", "account_type": "Managed", "domain_name": domain, "cloud_instance_name": "microsoftonline.com",
		"cloud_audience_urn": "urn:federation:MicrosoftOnline",
	})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// answer shapes a refusal as a scripted answer, for faults that speak AADSTS.
func answer(status int, body []byte) *hook.Answer {
	return &hook.Answer{
		Status: status,
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Cache-Control": {"no-store, no-cache"}},
		Body:   body,
	}
}
