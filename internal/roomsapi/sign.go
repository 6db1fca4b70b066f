package roomsapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"roomsync/internal/tokens"
)

// Headers of Standard Webhooks
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// webhookID is the same for every copy of an event. It is a digest because the event's own id names the mailbox, and because the
// specification wants no dots in it.
func webhookID(e *entry) string {
	sum := sha256.Sum256([]byte(e.DeduplicationID()))
	return "evt_" + hex.EncodeToString(sum[:16])
}

// sign puts the headers on that prove who sent body, and when. Every secret signs, so that the receiver may have any of them.
func sign(h http.Header, id string, at time.Time, body []byte, secrets []tokens.Secret) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		mac := hmac.New(sha256.New, []byte(s.Reveal()))
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	h.Set(headerID, id)
	h.Set(headerTimestamp, stamp)
	h.Set(headerSignature, strings.Join(signatures, " "))
}
