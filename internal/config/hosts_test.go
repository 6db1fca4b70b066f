package config

import (
	"strings"
	"testing"
)

func TestHosts_Allow(t *testing.T) {
	for _, c := range []struct {
		list, host string
		want       bool
	}{
		{"mail.contoso.com", "MAIL.contoso.com", true}, {"mail.contoso.com", "mail.contoso.com.", true},
		{"mail.contoso.com", "mail.contoso.com.evil.example", false}, {"mail.contoso.com", "xmail.contoso.com", false},
		{" a.example , *.Contoso.com", "mail.contoso.com", true}, {"*.contoso.com", "eu.mail.contoso.com", true},
		{"*.contoso.com", "contoso.com", false}, {"*.contoso.com", "evilcontoso.com", false}, {"*.contoso.com", ".contoso.com", false},
		{"", "mail.contoso.com", false},
	} {
		h, err := parseHosts(c.list)
		if err != nil || h.Allow(c.host) != c.want {
			t.Errorf("%q, %q: %t, %v", c.list, c.host, h.Allow(c.host), err)
		}
	}
}

func TestHosts_Faults(t *testing.T) {
	_, err := parseHosts("*, *.com, https://mail.contoso.com/EWS, mail.*.com, mail.contoso.com:443, user@host, ok.example")
	if err == nil {
		t.Fatal("no error")
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 6 || strings.Contains(err.Error(), "ok.example") {
		t.Errorf("%d faults, want 6:\n%v", n, err)
	}
}

func TestAllowedHosts(t *testing.T) {
	for _, c := range []struct{ url, list, want string }{
		{"https://outlook.office365.com/EWS/Exchange.asmx", "", "outlook.cloud.microsoft, outlook.office.com, outlook.office365.com"},
		{"https://outlook.office365.us/EWS/Exchange.asmx", "", "outlook.office365.us"},
		{"https://Mail.contoso.com:444/EWS/Exchange.asmx", "", "mail.contoso.com"},
		{"https://mail.contoso.com/EWS/Exchange.asmx", "*.fabrikam.com", "*.fabrikam.com, mail.contoso.com"},
		{"https://outlook.office365.com/EWS/Exchange.asmx", "mail.contoso.com", "mail.contoso.com, outlook.office365.com"},
	} {
		list, err := parseHosts(c.list)
		e := Exchange{EWSURL: c.url, hosts: list}
		if got := e.AllowedHosts().String(); got != c.want || err != nil {
			t.Errorf("%s with %q: %q, want %q", c.url, c.list, got, c.want)
		}
	}
}

func TestHosts_Check(t *testing.T) {
	h, _ := parseHosts("*.contoso.com")
	for url, bad := range map[string]bool{
		"": false, "https://mail.contoso.com/EWS/Exchange.asmx": false, "https://mail.contoso.com.evil.example/": true, "https://MAIL.CONTOSO.COM:8443/": false,
	} {
		if err := h.Check(url); (err != nil) != bad {
			t.Errorf("%q: %v", url, err)
		}
		if err := (Hosts{}).Check(url); err != nil {
			t.Errorf("without a list %q: %v", url, err)
		}
	}
}
