package accesscheck

import (
	"net/http"

	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// Advice says what to do about an answer of Exchange, or about there being none. Own says that the mailbox has a URL of its
// own, which is then what leads to the wrong place.
func Advice(f *calsync.Fault, v jobs.Verdict, id jobs.Identity, address string, own bool) string {
	where := "--ews-url"
	if own {
		where = "the mailbox's own url"
	}
	switch {
	case f.Kind == calsync.FaultHTML:
		return "a web page came instead of an answer: " + where + " leads to a proxy or a sign-in page, not to Exchange Web Services, whose path is /EWS/Exchange.asmx"
	case v.Reason != "":
		return jobs.Advice(v.Reason, id, address)
	case f.Kind == calsync.FaultTLS:
		return "see whether " + where + " has the name that the server's certificate has, and whether that is trusted here: SSL_CERT_FILE names a file with " +
			"the certificates of one's own authority"
	}
	switch f.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return "there are no Exchange Web Services at this path: is it /EWS/Exchange.asmx? Correct " + where
	case http.StatusProxyAuthRequired:
		return "a proxy wants to be signed in to: see HTTPS_PROXY and NO_PROXY"
	}
	return map[jobs.Class]string{
		jobs.Throttled: "Exchange asks for patience: try again in a minute",
		jobs.Transient: "Exchange or the way to it has trouble of its own: try again; see whether this host reaches " + where,
		jobs.Config:    "check " + where,
		jobs.Bug:       "Exchange says that the request is wrong: report it, with the log of this command",
	}[v.Class]
}
