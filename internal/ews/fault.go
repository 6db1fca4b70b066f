package ews

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

func (x *exchange) fault(kind calsync.FaultKind) *calsync.Fault {
	return &calsync.Fault{Operation: x.call.op.name, Kind: kind, RequestID: x.id, ServerRequestID: x.serverID}
}

// tokenFault reports that the request could not be given credentials.
func (x *exchange) tokenFault(err error) *calsync.Fault {
	f := x.fault(calsync.FaultToken)
	f.Err = err
	if e, ok := errors.AsType[interface {
		error
		OAuthError() string
	}](err); ok {
		f.Code = e.OAuthError()
	}
	if e, ok := errors.AsType[interface {
		error
		RefusalReason() string
	}](err); ok {
		f.Reason = e.RefusalReason()
	}
	if e, ok := errors.AsType[interface {
		error
		CredentialUnusable() bool
	}](err); ok && e.CredentialUnusable() {
		f.Code = calsync.CodeUnusable
	}
	if e, ok := errors.AsType[interface {
		error
		HTTPStatus() int
	}](err); ok {
		f.Status = e.HTTPStatus()
	}
	if e, ok := errors.AsType[interface {
		error
		RetryDelay() time.Duration
	}](err); ok {
		f.BackOff = max(0, e.RetryDelay())
	}
	return f
}

// transportFault reports that no complete answer came. Unless the connection was never made, the server may have
// done what it was asked.
func (x *exchange) transportFault(err error) *calsync.Fault {
	if _, ok := errors.AsType[interface {
		error
		SignInFailed()
	}](err); ok {
		return x.tokenFault(err)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL
	}
	f := x.fault(calsync.FaultTransport)
	f.Err, f.Unknown = err, true
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		f.Unknown = false
	}
	if isTLS(err) {
		f.Kind, f.Unknown = calsync.FaultTLS, false
	}
	if x.connected != nil && x.connected.Load() {
		f.Unknown = true // also with an alert of TLS: after the handshake it says nothing of the request
	}
	return f
}

// isTLS says whether err comes from a handshake. Many of crypto/tls's errors have no type, only a prefix.
func isTLS(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		return true
	}
	if errors.Is(err, http.ErrSchemeMismatch) || strings.HasPrefix(err.Error(), "tls: ") {
		return true
	}
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verification || record || authority || host || invalid
}

// httpFault reports a status without a SOAP body that could be used.
func (x *exchange) httpFault(resp *http.Response) *calsync.Fault {
	f := x.fault(calsync.FaultHTTP)
	x.readHeader(f, resp)
	f.Inner = resp.Header.Get("X-CasErrorCode") // what the front end thought of it
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		f.Unknown = true // the request may have come through, and only its answer not
	}
	if x.call.op.writes {
		f.Unknown = unknownStatus(resp)
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		f.Err = errors.New("the server redirects, and redirects are not followed: configure the address it means")
	}
	return f
}

// unusable reports an answer that cannot be read as the operation's.
func (x *exchange) unusable(resp *http.Response, kind calsync.FaultKind, err error) *calsync.Fault {
	f := x.fault(kind)
	x.readHeader(f, resp)
	f.Err, f.Unknown = err, true
	return f
}

// soapFault reports a SOAP Fault. Its code stands in the detail, or only in faultcode.
func (x *exchange) soapFault(sf *soap.Fault, resp *http.Response) *calsync.Fault {
	f := x.fault(calsync.FaultSOAP)
	x.readHeader(f, resp)
	f.Code, f.Message = sf.Detail, sf.Message
	if f.Code == "" && strings.HasPrefix(sf.Code, "Error") {
		f.Code = sf.Code
	}
	if f.Message == "" {
		f.Message = sf.String
	}
	readDetails(f, sf.Values, sf.String)
	return x.leave(f)
}

// readDetails adds what MessageXml and the text say: a code inside, and how long to wait.
func readDetails(f *calsync.Fault, v soap.Values, text string) {
	f.Inner = v.Get("InnerErrorResponseCode")
	if f.Inner == "" && f.Code != "ErrorServerBusy" && strings.Contains(text+v.Get("InnerErrorMessageText"), "ErrorServerBusy") {
		f.Inner = "ErrorServerBusy"
	}
	f.BackOff = max(f.BackOff, milliseconds(v.Get("BackOffMilliseconds")))
	if m := suggested.FindStringSubmatch(text); m != nil {
		f.BackOff = max(f.BackOff, milliseconds(m[1]))
	}
}

// suggested finds the wait in texts such as "… Policy value '5' … Suggested backoff time 5000 ms."
var suggested = regexp.MustCompile(`(?i)suggested backoff time:? (\d{1,12}) ms`)

func milliseconds(s string) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 || n > int64(maxWait/time.Millisecond) {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// maxWait is the longest wait that is taken for meant.
const maxWait = 10 * 366 * 24 * time.Hour

// readHeader adds what the answer's header says.
func (x *exchange) readHeader(f *calsync.Fault, resp *http.Response) {
	f.Status = resp.StatusCode
	f.BackOff = max(f.BackOff, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
	f.Diagnostics = diagnostics(resp.Header.Get("X-Ms-Diagnostics"))
	f.Policy = policy(resp.Header.Get("X-Ews-Policy-Reason"))
	if resp.StatusCode == http.StatusUnauthorized {
		f.Claims = claims(resp.Header.Values("Www-Authenticate"))
	}
}

// retryAfter reads the header's two forms (RFC 9110, section 10.2.3). What is neither, or in the past, is 0.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		if n < 0 || n > int64(maxWait/time.Second) {
			return 0
		}
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil || at.Sub(now) > maxWait {
		return 0
	}
	return max(0, at.Sub(now))
}

// serverID is a request-id header, "" for what does not look like one: it goes into logs and events.
func serverID(header string) string {
	if len(header) > 64 || strings.ContainsFunc(header, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return ""
	}
	return header
}

// policy reads which of Exchange's own switches is meant.
func policy(header string) string {
	for _, p := range []string{calsync.PolicyDisabled, calsync.PolicyBlocked} {
		if strings.Contains(strings.ToLower(header), p) {
			return p
		}
	}
	return ""
}

// diagnostics returns the number that an x-ms-diagnostics header starts with, "" when it starts with none.
func diagnostics(header string) string {
	number, _, _ := strings.Cut(header, ";")
	number = strings.TrimSpace(number)
	if _, err := strconv.ParseUint(number, 10, 32); err != nil {
		return ""
	}
	return number
}

var claimsParam = regexp.MustCompile(`(?i)[\s,]claims="([^"]*)"`)

// claims returns the claims challenge of WWW-Authenticate headers: a JSON object, as a token request wants it. It is
// sent as base64, with or without padding, in either alphabet.
//
// Microsoft: https://learn.microsoft.com/entra/identity-platform/claims-challenge
func claims(headers []string) string {
	for _, h := range headers {
		m := claimsParam.FindStringSubmatch(h)
		if m == nil {
			continue
		}
		encoded := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(m[1], "="))
		object, err := base64.RawStdEncoding.DecodeString(encoded)
		if err == nil && json.Valid(object) {
			return string(object)
		}
	}
	return ""
}
