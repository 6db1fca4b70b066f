package config

// Setup is the configuration of "roomsync setup": the flags and variables of a worker, of which only those matter that
// name things in Exchange and Entra. No secret is demanded or read.
type Setup struct {
	Ops
	Exchange
}

func (u *Setup) declare(s *settings) {
	u.Ops.declare(s)
	u.Exchange.declare(s)
}

func (u *Setup) check(s *settings) {
	u.Ops.check(s)
	checkID(s, "tenant-id", u.TenantID)
	checkID(s, "app-id", u.AppID)
	if u.Auth == "" && !s.given("auth") {
		faults := s.faults
		u.guess(s)
		s.faults = faults // whatever is missing to sign in with
	}
}
