// Package setup writes the PowerShell scripts by which an administrator lets roomsync into Exchange: the commands of
// ROOMS' guide and of their successors, filled in from the configuration.
//
// A script is a file of the folder scripts with two kinds of lines replaced: "#values:" by the assignments of what came
// from the outside, and "#part:" by functions that several scripts use. Nothing from the outside stands anywhere else, so
// what is reviewed below the values is the same for everybody.
package setup

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"roomsync/events"
)

//go:embed scripts
var scripts embed.FS

// Input is what scripts are made from. Texts may hold anything; [Input.Script] says what is missing or cannot be used.
type Input struct {
	Online        bool   // Exchange Online, not Exchange Server
	SignIn        string // as --auth: secret, certificate, federated, delegated, basic, ntlm; "" when not known
	Impersonation bool

	TenantID           string
	AppID              string
	AppName            string // of the registration
	ServicePrincipalID string // Object ID of the enterprise application
	Thumbprint         string // of the certificate
	ServiceUser        string

	Group     string // mail-enabled security group of the mailboxes
	Deny      bool   // the group's mailboxes are those that the app must not reach
	Mailboxes []Mailbox
}

// Mailbox is a mailbox to set up.
type Mailbox struct {
	Address string
	Mode    string // sync mode, which says where it is; "" when that is not known
}

// delegate reports whether a service user acts by rights of its own.
func (in Input) delegate() bool { return in.SignIn == "delegated" || !in.Impersonation }

// Names of what the scripts make in Exchange. Exchange allows 64 characters.
const (
	maxName     = 64
	namePrefix  = "roomsync "
	policyName  = "roomsync"
	userAgent   = "roomsync/1 (+EWS)" // as package ews sends it; the version does not matter to the lists
	agentFilter = "roomsync/*"
)

// Script returns the script of a topic, or the one that takes it back. The error names everything that is missing, by
// the flag that gives it.
func (in Input) Script(topic string, undo bool) (string, error) {
	t, ok := Find(topic)
	if !ok {
		return "", unknownTopic(topic)
	}
	if undo && !t.Undo {
		return "", fmt.Errorf("topic %q: there is nothing to undo", topic)
	}
	if why := t.Unfit(in); why == whyOnline || why == whyOnPremises { // otherwise it can be prepared
		return "", fmt.Errorf("topic %q: %s (--ews-url)", topic, why)
	}
	name := script(topic, undo, in.Online)
	text, err := scripts.ReadFile("scripts/" + name + ".ps1")
	if err != nil {
		return "", fmt.Errorf("setup: %w", err)
	}
	return in.fill(t, name, string(text))
}

// fill replaces the marked lines of a script.
func (in Input) fill(t Topic, name, text string) (string, error) {
	var out strings.Builder
	var errs []error
	for line := range strings.Lines(text) {
		mark, rest, marked := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case marked && mark == "#values":
			block, err := in.values(t, name, strings.Fields(rest))
			errs = append(errs, err)
			out.WriteString(block)
		case marked && mark == "#part":
			part, err := in.part(rest)
			errs = append(errs, err)
			out.WriteString(part + "\n")
		case marked && mark == "#requires":
			out.WriteString(in.requires(rest))
		default:
			out.WriteString(line)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	return out.String(), nil
}

func (in Input) part(name string) (string, error) {
	if name == "connect" {
		name = "exchange-server"
		if in.Online {
			name = "exchange-online"
		}
	}
	text, err := scripts.ReadFile("scripts/parts/" + name + ".ps1")
	if err != nil {
		return "", fmt.Errorf("setup: %w", err)
	}
	return string(text), nil
}

// requires lets PowerShell say by itself which module is missing.
func (in Input) requires(what string) string {
	switch {
	case what == "graph":
		return "#Requires -Modules Microsoft.Graph.Authentication, Microsoft.Graph.Applications, Microsoft.Graph.Identity.SignIns, Microsoft.Graph.Users\n"
	case in.Online:
		return "#Requires -Modules @{ ModuleName = 'ExchangeOnlineManagement'; ModuleVersion = '3.0.0' }\n"
	}
	return ""
}

// mine are the addresses that are where the script works, without doubles.
func (in Input) mine() []string {
	var list []string
	for _, m := range in.Mailboxes {
		online := m.Mode == events.ModeO365 || m.Mode == events.ModeO365Pull
		if m.Mode == "" || online == in.Online {
			list = append(list, m.Address)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Encode is the script as Windows PowerShell 5.1 reads it rightly: UTF-8 with a byte order mark, lines end in CR LF.
func Encode(script string) []byte {
	return []byte("\ufeff" + strings.ReplaceAll(script, "\n", "\r\n"))
}
