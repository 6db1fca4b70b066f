package entra

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"roomsync/internal/tokens"
)

var kinds = []kind{secret, certificate, federated, delegated}

// listed are the numbers of section 4.7 of the facts, and those that one kind of sign-in alone meets.
func listed() []int {
	var all []int
	for _, r := range rules {
		all = append(all, r.aadsts...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestRules_EveryNumberOnceForEachKind(t *testing.T) {
	for _, list := range [][]rule{slices.Concat(appRules, userRules), commonRules} {
		seen := map[string]bool{}
		for _, r := range list {
			if r.hint == "" {
				t.Errorf("%v has no hint", r.aadsts)
			}
			of := r.of
			if len(of) == 0 {
				of = kinds
			}
			for _, k := range of {
				for _, n := range r.aadsts {
					id := fmt.Sprintf("%s %d", k.name, n)
					if seen[id] {
						t.Errorf("%s stands there twice", id)
					}
					seen[id] = true
				}
			}
		}
	}
}

// TestRules_SpeakOfWhatWasUsed: a hint never speaks of another way to sign in as if it were the one in use.
func TestRules_SpeakOfWhatWasUsed(t *testing.T) {
	foreign := map[string][]string{
		secret.name:      {"thumbprint", "federated", "service user", "password"},
		certificate.name: {"client secret", "secret-file", "federated", "service user", "password"},
		federated.name:   {"client secret", "secret-file", "thumbprint", "service user", "password"},
		delegated.name:   {"client secret", "secret-file", "the thumbprint", "federated", "full_access_as_app"},
	}
	codes := []string{"", "brand_new"}
	for code := range byCode {
		codes = append(codes, code)
	}
	for _, k := range kinds {
		for _, code := range codes {
			for _, n := range append(listed(), 0, 999999) {
				hint := ruleFor(k, &tokens.Error{Status: 400, Code: code, AADSTS: n}).hint
				if hint == "" || strings.ContainsAny(hint, "{}") {
					t.Errorf("%s, %s, %d: %q", k.name, code, n, hint)
				}
				for _, word := range foreign[k.name] {
					if strings.Contains(strings.TrimSuffix(hint, " (ExchangeCertThumbprint)"), word) && code != "interaction_required" {
						t.Errorf("%s, %s, %d: %q speaks of a %s", k.name, code, n, hint, word)
					}
				}
			}
		}
	}
}

// TestRules_EachFaultOfEachKind: what is wrong, expired or revoked has a message of its own, which says where to look.
func TestRules_EachFaultOfEachKind(t *testing.T) {
	tests := []struct {
		kind  kind
		code  string
		n     int
		wait  time.Duration
		parts []string
	}{
		{secret, "invalid_client", 7000215, operator, []string{"wrong", "--client-secret-file", "ExchangeClientSecret"}},
		{secret, "invalid_client", 7000222, operator, []string{"expired", "--client-secret-file"}},
		{secret, "invalid_client", 700025, operator, []string{"public client", "the client secret was sent"}},
		{secret, "invalid_client", 0, operator, []string{"--app-id", "ExchangeAppId", "--client-secret-file"}},
		{secret, "invalid_grant", 65001, hourly, []string{"full_access_as_app", "admin consent"}},
		{certificate, "invalid_client", 700027, operator, []string{"not, or no longer, registered", "ExchangeCertThumbprint"}},
		{certificate, "invalid_client", 700024, 0, []string{"clock"}},
		{certificate, "invalid_client", 1000502, operator, []string{"expired", "ExchangeCertThumbprint"}},
		{certificate, "invalid_client", 700030, operator, []string{"not accepted", "--cert-dir"}},
		{certificate, "invalid_client", 0, operator, []string{"the certificate is not accepted", "ExchangeCertThumbprint"}},
		{federated, "invalid_client", 70025, operator, []string{"Federated credentials"}},
		{federated, "invalid_client", 700213, operator, []string{"issuer, subject and audience", "AZURE_FEDERATED_TOKEN_FILE"}},
		{federated, "invalid_client", 700024, 0, []string{"expired", "AZURE_FEDERATED_TOKEN_FILE"}},
		{federated, "invalid_client", 700027, operator, []string{"signature of the federated token"}},
		{federated, "invalid_client", 0, operator, []string{"the federated token is not accepted"}},
		{delegated, "invalid_grant", 50126, lockOut, []string{"password of the service user is wrong", "ExchangeServicePassword", "ExchangeServiceUser"}},
		{delegated, "invalid_grant", 50055, operator, []string{"password has expired", "ExchangeServicePassword"}},
		{delegated, "invalid_grant", 50057, operator, []string{"disabled"}},
		{delegated, "invalid_grant", 50053, 30 * time.Minute, []string{"locked"}},
		{delegated, "invalid_grant", 50034, operator, []string{"does not exist", "ExchangeServiceUser"}},
		{delegated, "interaction_required", 50076, operator, []string{"MFA", "app with a certificate"}},
		{delegated, "invalid_grant", 53003, hourly, []string{"Conditional Access", "sign-in log"}},
		{delegated, "invalid_grant", 530035, hourly, []string{"security defaults"}},
		{delegated, "invalid_grant", 50173, 0, []string{"revoked"}},
		{delegated, "invalid_client", 7000218, operator, []string{"Allow public client flows"}},
		{delegated, "invalid_grant", 65001, hourly, []string{"Delegated permissions, EWS.AccessAsUser.All"}},
		{delegated, "invalid_grant", 0, operator, []string{"the service user's password is not accepted"}},
	}
	hints := map[string]bool{}
	for _, tt := range tests {
		r := ruleFor(tt.kind, &tokens.Error{Status: 400, Code: tt.code, AADSTS: tt.n})
		if r.wait != tt.wait {
			t.Errorf("%s %d: wait %v, want %v", tt.kind.name, tt.n, r.wait, tt.wait)
		}
		for _, part := range tt.parts {
			if !strings.Contains(r.hint, part) {
				t.Errorf("%s %d: %q lacks %q", tt.kind.name, tt.n, r.hint, part)
			}
		}
		if hints[r.hint] {
			t.Errorf("%s %d: %q stands for another fault too", tt.kind.name, tt.n, r.hint)
		}
		hints[r.hint] = true
	}
}

// TestRules_OnlyPasswordsCount: the lock-out of an account is no reason to hold back anything but a password. A number
// that nobody knows may be about one.
func TestRules_OnlyPasswordsCount(t *testing.T) {
	password := []int{50126, 50056, 50064, 50053, 50055, 50144, 50125, 50132, 50133, 50135, 50142}
	for _, r := range slices.Concat(userRules, commonRules) {
		for _, n := range r.aadsts {
			got := ruleFor(delegated, &tokens.Error{Status: 400, Code: "invalid_grant", AADSTS: n}).counts
			if want := slices.Contains(password, n); got != want {
				t.Errorf("%d: counts %v", n, got)
			}
		}
	}
	if !ruleFor(delegated, &tokens.Error{Status: 400, Code: "invalid_grant", AADSTS: 999999}).counts {
		t.Error("an unknown refusal does not count")
	}
	for _, status := range []int{302, 429, 500, 503} {
		if ruleFor(delegated, &tokens.Error{Status: status, Code: "invalid_grant", AADSTS: 50126}).counts {
			t.Errorf("HTTP %d counts", status)
		}
	}
}
