package main

import (
	"strings"
	"testing"
)

// TestHosts_OfMailboxes: where the command knows the hosts that workers send credentials to, it takes no mailbox with
// another one; all are named at once.
func TestHosts_OfMailboxes(t *testing.T) {
	s := newShop(t)
	const list = "--ews-hosts=*.contoso.com"
	set := []string{"mailboxes", "set", "a@x.example", "--mode=Exchange2016", "--url=https://evil.example/EWS/Exchange.asmx"}
	code, _, stderr := s.run("", append(set, list)...)
	if code != 2 || !strings.Contains(stderr, "no worker sends its credentials to evil.example: --ews-hosts allows *.contoso.com") {
		t.Errorf("%d: %s", code, stderr)
	}
	csv := "address,mode,url\nb@x.example,Exchange2016,https://evil.example/\nc@x.example,Exchange2016,https://mail.contoso.com/\nd@x.example,Exchange2016,https://bad.example/\n"
	code, _, stderr = s.run(csv, "mailboxes", "import", "-", list)
	if code != 2 || !strings.Contains(stderr, "b@x.example: url: ") || !strings.Contains(stderr, "d@x.example: url: ") || strings.Contains(stderr, "c@x.example") {
		t.Errorf("%d: %s", code, stderr)
	}
	if all, err := s.bus.Mailboxes(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("stored %v, %v", all, err)
	}
	if code, _, stderr = s.run("", set...); code != 0 {
		t.Errorf("without a list %d: %s", code, stderr)
	}
}
