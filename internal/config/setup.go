package config

// Setup is the configuration of "roomsync setup": the flags and variables of a worker, of which only those matter that
// name things in Exchange and Entra. Nothing is demanded, since each script needs something else, and no secret is read.
type Setup struct {
	Ops
	Exchange
	// Online says that the mailboxes are in Exchange Online: by the host of EWS, or because an authority is named to sign in at.
	Online bool
}

func (u *Setup) declare(s *settings) {
	u.Ops.declare(s)
	u.Exchange.declare(s)
}

func (u *Setup) check(s *settings) {
	u.Ops.check(s)
	if u.Auth == "" && !s.given("auth") {
		faults := s.faults
		u.azure(s)
		u.guess(s)
		s.faults = faults // whatever is missing to sign in with
	}
	passwords := u.Auth == AuthBasic || u.Auth == AuthNTLM // of a server on premises
	u.Online = u.Exchange.online() || s.given("authority-url") && !passwords
}
