package signin_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"roomsync/internal/calsync"
	"roomsync/internal/ews"
	"roomsync/internal/ews/signin"
)

var (
	_ ews.Credentials = (*signin.NTLM)(nil)
	_ ews.Connector   = (*signin.NTLM)(nil)
	_ ews.Credentials = (*signin.Basic)(nil)
	_ ews.Connector   = (*signin.Basic)(nil)
)

// TestClient: package ews uses the transport, and takes a failed sign-in for what it is.
func TestClient(t *testing.T) {
	requests := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		user, password, ok := r.BasicAuth()
		if !ok || user != "svc" || password != "right" {
			w.Header().Set("Www-Authenticate", `Basic realm=""`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m:SyncFolderItemsResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><m:ResponseMessages><m:SyncFolderItemsResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:SyncState>H4sI</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes/></m:SyncFolderItemsResponseMessage></m:ResponseMessages></m:SyncFolderItemsResponse></s:Body></s:Envelope>`)
	}))
	defer s.Close()
	password := "right"
	user := signin.User{Name: "svc", Password: func() (string, error) { return password, nil }}
	probe := func(c ews.Credentials) *calsync.Fault {
		client, err := ews.New(ews.Options{URL: s.URL, Credentials: c})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Probe(t.Context(), calsync.Target{Address: "room0001@contoso.example"}, "", 0)
		var f *calsync.Fault
		errors.As(err, &f)
		return f
	}
	if f := probe(signin.NewBasic(user)); f != nil {
		t.Error(f)
	}
	f := probe(signin.NewNTLM(user))
	if f == nil || f.Kind != calsync.FaultToken || f.Status != 401 || f.Unknown || !strings.Contains(f.Error(), "does not offer NTLM but Basic") {
		t.Errorf("%+v", f)
	}
	password = "wrong"
	b := signin.NewBasic(user)
	before := requests
	for range 3 {
		if f := probe(b); f == nil || f.Kind != calsync.FaultToken || f.Status != 401 || f.BackOff <= 0 || f.Unknown {
			t.Errorf("%+v", f)
		}
	}
	if requests != before+1 {
		t.Errorf("a wrong password was sent %d times", requests-before)
	}
	if _, err := ews.New(ews.Options{URL: "http://exchange.example/", Credentials: b}); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("a password in the clear: %v", err)
	}
	if _, err := ews.New(ews.Options{URL: s.URL, Credentials: b, Transport: http.DefaultTransport}); err == nil || !strings.Contains(err.Error(), "exclude") {
		t.Errorf("two transports: %v", err)
	}
}
