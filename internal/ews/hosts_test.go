package ews

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"roomsync/internal/calsync"
)

// TestHosts_NothingIsSentElsewhere: a mailbox whose URL names a host that the credentials are not for gets nothing sent
// there, not even a connection.
func TestHosts_NothingIsSentElsewhere(t *testing.T) {
	heard := 0
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard++ }))
	defer srv.Close()
	asked := []string{}
	c, err := New(Options{URL: "https://mail.contoso.com/EWS/Exchange.asmx", Credentials: Basic("u", "p"), Hosts: func(host string) bool {
		asked = append(asked, host)
		return host == "mail.contoso.com"
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{srv.URL, srv.URL + "/?mail.contoso.com", "https://MAIL.contoso.com.evil.example/"} {
		_, err = c.Rights(t.Context(), calsync.Target{Address: "a@contoso.com", URL: url})
		var f *calsync.Fault
		if !errors.As(err, &f) || f.Kind != calsync.FaultHost || f.Status != 0 || f.Unknown {
			t.Errorf("%s: %+v", url, err)
		}
	}
	if heard > 0 || len(asked) != 3 || asked[2] != "mail.contoso.com.evil.example" {
		t.Errorf("%d requests; asked about %q", heard, asked)
	}
}
