package setup

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// value is one variable at the top of a script.
type value struct {
	text     func(Input) string
	flag     string // where it comes from
	check    func(string) error
	optional func(Input) bool // it may be empty; nil: never
}

func always(Input) bool { return true }

var values = map[string]value{
	"TenantId":              {text: func(in Input) string { return in.TenantID }, flag: "tenant-id", check: checkID, optional: func(in Input) bool { return !in.Online }},
	"AppId":                 {text: func(in Input) string { return strings.ToLower(in.AppID) }, flag: "app-id", check: checkGUID},
	"AppName":               {text: func(in Input) string { return in.AppName }, flag: "app-name", check: checkName(256)},
	"ServicePrincipalId":    {text: func(in Input) string { return in.ServicePrincipalID }, flag: "service-principal-id", check: checkGUID, optional: always},
	"CertificateThumbprint": {text: func(in Input) string { return in.Thumbprint }, flag: "cert-thumbprint", check: checkThumbprint, optional: always},
	"SignIn":                {text: func(in Input) string { return in.SignIn }, flag: "auth", check: checkText, optional: always},
	"ServiceUser":           {text: func(in Input) string { return in.ServiceUser }, flag: "username", check: checkText, optional: func(in Input) bool { return in.Online && !in.delegate() }},
	"GroupName":             {text: func(in Input) string { return in.Group }, flag: "group", check: checkName(maxName - len(namePrefix))},
	"ScopeName":             {text: func(in Input) string { return namePrefix + in.Group }, check: nothing},
	"AssignmentName":        {text: assignment, check: nothing},
	"PolicyName":            {text: func(Input) string { return policyName }, check: nothing},
	"UserAgent":             {text: func(Input) string { return userAgent }, check: nothing},
	"UserAgentPattern":      {text: func(Input) string { return agentFilter }, check: nothing},
	"AccessRight":           {text: accessRight, check: nothing},
}

// assignment names the role assignment: by the app in Exchange Online, by the group on premises.
func assignment(in Input) string {
	if in.Online {
		return "roomsync EWS " + strings.ToLower(in.AppID)
	}
	return namePrefix + in.Group
}

func accessRight(in Input) string {
	if in.Deny {
		return "DenyAccess"
	}
	return "RestrictAccess"
}

// values is the block of assignments for the variables that a script names, and everything that is wrong with them.
func (in Input) values(t Topic, name string, variables []string) (string, error) {
	var b strings.Builder
	var errs []error
	for _, v := range variables {
		var err error
		switch v {
		case "Mailboxes":
			err = in.mailboxes(&b, t)
		case "Impersonation":
			fmt.Fprintf(&b, "$Impersonation = $%t\n", in.Impersonation && in.SignIn != "delegated")
		default:
			err = in.value(&b, v, name)
		}
		errs = append(errs, err)
	}
	return b.String(), errors.Join(errs...)
}

// value writes one assignment. An app that is yet to be registered has no id, and what is done for a service user needs one
// however the fleet signs in.
func (in Input) value(b *strings.Builder, variable, script string) error {
	v := values[variable]
	text := v.text(in)
	fmt.Fprintf(b, "$%s = %s%s\n", variable, literal(text), readable(text))
	switch {
	case text != "":
		if err := v.check(text); err != nil {
			return fmt.Errorf("--%s %q: %w", v.flag, text, err)
		}
	case variable == "ServiceUser" && (strings.HasPrefix(script, Delegate) || strings.HasPrefix(script, OnPremises)):
		return errors.New("--username: missing: name the service user that this is for, such as svc@contoso.com")
	case variable == "AppId" && script == App, v.optional != nil && v.optional(in):
	default:
		return fmt.Errorf("--%s: missing: the script needs it", v.flag)
	}
	return nil
}

func (in Input) mailboxes(b *strings.Builder, t Topic) error {
	list := in.mine()
	if len(list) == 0 {
		b.WriteString("$Mailboxes = @()\n")
		return in.noMailboxes(t)
	}
	b.WriteString("$Mailboxes = @(\n")
	for _, address := range list {
		if err := checkText(address); err != nil {
			return fmt.Errorf("mailbox %q: %w", address, err)
		}
		fmt.Fprintf(b, "    %s%s\n", literal(address), readable(address))
	}
	b.WriteString(")\n")
	return nil
}

func (in Input) noMailboxes(t Topic) error {
	switch {
	case !t.mailboxes:
		return nil
	case len(in.Mailboxes) == 0:
		return errors.New("mailboxes: missing: name them, or give --csv FILE or --wanted")
	case in.Online:
		return fmt.Errorf("mailboxes: none of the %d is in Exchange Online (modes O365 and O365Pull)", len(in.Mailboxes))
	}
	return fmt.Errorf("mailboxes: none of the %d is on premises (modes Exchange2010 to Exchange2016Pull)", len(in.Mailboxes))
}

func nothing(string) error { return nil }

var (
	guids       = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	tenants     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)
	thumbprints = regexp.MustCompile(`^[0-9A-F]{40}$`)
)

func checkGUID(s string) error {
	if !guids.MatchString(s) {
		return errors.New("must be an id such as 00000000-1111-2222-3333-444444444444, as Entra shows it")
	}
	return nil
}

func checkID(s string) error {
	if !tenants.MatchString(s) {
		return errors.New("must be the tenant's id or one of its domains")
	}
	return nil
}

func checkThumbprint(s string) error {
	if !thumbprints.MatchString(s) {
		return errors.New("must be 40 hexadecimal digits in upper case")
	}
	return nil
}

func checkName(longest int) func(string) error {
	return func(s string) error {
		if n := len([]rune(s)); n > longest {
			return fmt.Errorf("must have at most %d characters; it has %d", longest, n)
		}
		return checkText(s)
	}
}
