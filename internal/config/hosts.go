package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"roomsync/internal/retirement"
)

// Hosts are those that credentials may be sent to. The zero value is no list, which allows none.
type Hosts struct {
	patterns []string // in lower case; "*.contoso.com" stands for what is below contoso.com
}

// hosts declares the list. Two sections of one configuration share the flag.
func (s *settings) hosts(p *Hosts) {
	const name = "ews-hosts"
	take := func(t string) (err error) {
		*p, err = parseHosts(t)
		return err
	}
	if v := s.named(name); v != nil {
		before := v.parse
		v.parse = func(t string) error {
			if err := before(t); err != nil {
				return err
			}
			return take(t)
		}
		return
	}
	s.add(name, "hosts", "", "hosts that a mailbox's own url may name, with commas between; *.contoso.com is all below; the host of --ews-url when absent", take)
}

// parseHosts reads a list; all that is wrong with it is reported.
func parseHosts(text string) (h Hosts, err error) {
	var errs []error
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
			continue
		}
		if fault := checkHost(name); fault != "" {
			errs = append(errs, fmt.Errorf("%q %s", name, fault))
			continue
		}
		h.patterns = append(h.patterns, name)
	}
	return h, errors.Join(errs...)
}

func checkHost(name string) string {
	rest, below := strings.CutPrefix(name, "*.")
	switch {
	case strings.Contains(rest, "*"):
		return "may have a * only as its first part, as in *.contoso.com"
	case below && !strings.Contains(rest, "."):
		return "allows a whole top-level domain: name your own, as in *.contoso.com"
	case strings.ContainsAny(rest, "/?#@ ") || strings.Contains(rest, "://"):
		return "must be a host such as mail.contoso.com, without https:// and path"
	}
	if u, err := url.Parse("https://" + rest); err != nil || u.Hostname() == "" || u.Port() != "" || strings.HasPrefix(rest, ".") {
		return "must be a host such as mail.contoso.com, without a port"
	}
	return ""
}

// AllowedHosts are those that requests with our credentials may go to: the list given, and the host of the endpoint. For
// Exchange Online without a list, these are the hosts by which Microsoft serves it in the same cloud.
func (e *Exchange) AllowedHosts() Hosts {
	h := Hosts{append(slices.Clone(e.hosts.patterns), e.host())}
	if len(e.hosts.patterns) == 0 {
		h.patterns = append(h.patterns, retirement.HostsBeside(e.host())...)
	}
	return h
}

// Given reports whether there is a list.
func (h Hosts) Given() bool { return len(h.patterns) > 0 }

// Allow reports whether a host, without its port, is on the list.
func (h Hosts) Allow(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(h.patterns, func(p string) bool {
		if below, ok := strings.CutPrefix(p, "*"); ok {
			return strings.HasSuffix(host, below) && len(host) > len(below)
		}
		return host == strings.Trim(p, "[]")
	})
}

// String lists them for people.
func (h Hosts) String() string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(h.patterns))), ", ")
}

// Check is an error when a mailbox's own URL, "" for none, names another host. Without a list nothing is known.
func (h Hosts) Check(mailboxURL string) error {
	u, err := url.Parse(mailboxURL)
	if mailboxURL == "" || err != nil || !h.Given() || h.Allow(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("no worker sends its credentials to %s: --ews-hosts allows %s", u.Hostname(), h)
}
