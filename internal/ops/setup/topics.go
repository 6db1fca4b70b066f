package setup

import (
	"fmt"
	"strings"
)

// Topic is one thing that administrators set up, or look at, by a script.
type Topic struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Undo  bool   `json:"undo"` // there is a script that takes it back

	mailboxes bool               // it needs some
	fits      func(Input) string // "" when it fits, or why not
	instead   string             // the topic that it is the older way of
}

// The topics.
const (
	App          = "app"
	AccessPolicy = "access-policy"
	RBAC         = "rbac"
	Delegate     = "delegate"
	AllowList    = "allow-list"
	OnPremises   = "on-premises"
	Check        = "check"
)

var topics = []Topic{
	{Name: App, Title: "register the app in Entra: permission, consent, certificate", Undo: true, fits: online},
	{Name: RBAC, Title: "grant the app single mailboxes (RBAC for Applications)", Undo: true, mailboxes: true, fits: appOnly},
	{Name: AccessPolicy, Title: "limit the app to single mailboxes (application access policy)", Undo: true, mailboxes: true, fits: appOnly, instead: RBAC},
	{Name: Delegate, Title: "make the service user Editor of single mailboxes (Delegated Access)", Undo: true, mailboxes: true, fits: delegated},
	{Name: AllowList, Title: "keep EWS open for the app while Microsoft switches it off", Undo: true, fits: online},
	{Name: OnPremises, Title: "let the service user impersonate single mailboxes of Exchange Server", Undo: true, mailboxes: true, fits: onPremises},
	{Name: Check, Title: "find out why a mailbox is refused; changes nothing", mailboxes: true, fits: func(Input) string { return "" }},
}

// Topics lists the topics in the order in which they are done.
func Topics() []Topic { return append([]Topic(nil), topics...) }

// Find returns the topic with that name.
func Find(name string) (Topic, bool) {
	for _, t := range topics {
		if t.Name == name {
			return t, true
		}
	}
	return Topic{}, false
}

// Unfit says why the topic does not go with the configuration; "" when it does.
func (t Topic) Unfit(in Input) string { return t.fits(in) }

// Instead is the topic that takes the place of this one; "" when there is none.
func (t Topic) Instead() string { return t.instead }

const (
	whyOnPremises = "the EWS URL is a server on premises"
	whyOnline     = "the EWS URL is Exchange Online"
)

func online(in Input) string {
	if !in.Online {
		return whyOnPremises
	}
	return ""
}

func onPremises(in Input) string {
	if in.Online {
		return whyOnline
	}
	return ""
}

// appOnly is for an app that acts for itself.
func appOnly(in Input) string {
	if in.Online && in.delegate() {
		return "a service user signs in, not the app itself"
	}
	return online(in)
}

func delegated(in Input) string {
	if !in.delegate() {
		return "mailboxes are impersonated; it is for --impersonation=false"
	}
	return ""
}

// FileName is what a script is called in a folder.
func FileName(topic string, undo bool) string {
	return "roomsync-" + script(topic, undo, true) + ".ps1"
}

// script names the template of a topic.
func script(topic string, undo, online bool) string {
	switch {
	case undo:
		return topic + "-undo"
	case topic == Check && !online:
		return topic + "-" + OnPremises
	}
	return topic
}

func names() string {
	all := make([]string, len(topics))
	for i, t := range topics {
		all[i] = t.Name
	}
	return strings.Join(all, ", ")
}

func unknownTopic(name string) error {
	return fmt.Errorf("topic %q: there is %s, and all", name, names())
}
