package calsync

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFaultError(t *testing.T) {
	for _, tt := range []struct {
		fault Fault
		want  string
	}{
		{Fault{Operation: "GetItem", Kind: FaultResponse, Code: "ErrorItemNotFound", Status: 200}, "GetItem: ErrorItemNotFound (HTTP 200)"},
		{Fault{Operation: "GetItem", Kind: FaultSOAP, Code: "ErrorInternalServerError", Inner: "ErrorServerBusy"}, "GetItem: ErrorInternalServerError (ErrorServerBusy)"},
		{Fault{Operation: "GetItem", Kind: FaultTransport, Err: io.ErrUnexpectedEOF}, "GetItem: transport: unexpected EOF"},
	} {
		tt.fault.Message = "canary: the server's text"
		if got := tt.fault.Error(); got != tt.want || strings.Contains(got, "canary") {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		if !errors.Is(&tt.fault, tt.fault.Err) && tt.fault.Err != nil {
			t.Errorf("%s hides its cause", tt.want)
		}
	}
}

func TestCallOf(t *testing.T) {
	if err := CallOf(context.Background()).Guard("GetItem"); err != nil {
		t.Errorf("without a call, %v", err)
	}
	lost := errors.New("lease lost")
	ctx := WithCall(context.Background(), Call{Guard: func(string) error { return lost }, Fence: "mb/7"})
	if c := CallOf(ctx); c.Fence != "mb/7" || !errors.Is(c.Guard("GetItem"), lost) {
		t.Errorf("the call given is not the one found: %+v", c)
	}
}
