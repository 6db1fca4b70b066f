package entra

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"

	"roomsync/internal/tokens"
)

// explain turns MSAL's error into facts. MSAL's own text is dropped: it quotes whole answers, of which a badly formed
// one holds the token, and its verbose form quotes the request with the secret in it.
func explain(ctx context.Context, k kind, err error) error {
	var ours *tokens.Error // MSAL passes on what its callbacks and its transport said
	if errors.As(err, &ours) {
		return ours
	}
	var call msal.CallErr
	if errors.As(err, &call) && call.Resp != nil {
		return refused(k, call.Resp)
	}
	e := &tokens.Error{Err: cause(ctx, err)}
	if e.Err != errOtherHost && e.Err != errClearText { // which say themselves what to do
		e.Hint = "see whether this host reaches the authority (--authority-url)"
	}
	return e
}

// refused reads the OAuth error response. https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func refused(k kind, resp *http.Response) error {
	e := &tokens.Error{Status: resp.StatusCode}
	var doc struct {
		Error string `json:"error"`
		Codes []int  `json:"error_codes"`
	}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if json.Unmarshal(data, &doc) == nil {
		e.Code = word(doc.Error)
		if len(doc.Codes) > 0 {
			e.AADSTS = doc.Codes[0]
		}
	}
	r := ruleFor(k, e)
	e.Reason = r.reason
	e.Hint, e.RetryAfter = r.hint, max(r.wait, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
	return e
}

// word returns s if it is an OAuth error code, so that nothing else of an answer gets into our errors.
func word(s string) string {
	if len(s) > 40 {
		return ""
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && c != '_' {
			return ""
		}
	}
	return s
}

// retryAfter reads the header: seconds or a date (RFC 9110 section 10.2.3); 0 when it says nothing sensible.
func retryAfter(h string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(h); err == nil && n > 0 {
		return time.Duration(min(n, 86400)) * time.Second
	}
	if at, err := http.ParseTime(h); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

var (
	errNotUnderstood  = errors.New("the authority's answer is not understood")
	errEmptySecret    = errors.New("it is empty")
	errRefusedOptions = errors.New("MSAL refuses the authority or the application id")
)

// cause picks what is known to quote nothing of an answer.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, known := range []error{errOtherHost, errClearText, errTooLarge, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e := (*http.MaxBytesError)(nil); errors.As(err, &e) {
		return errTooLarge
	}
	if e := (*tls.CertificateVerificationError)(nil); errors.As(err, &e) {
		return e
	}
	if e := (*net.OpError)(nil); errors.As(err, &e) {
		return e
	}
	if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
		return errors.New("the authority does not answer in time")
	}
	return errNotUnderstood
}
