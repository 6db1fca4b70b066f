package config

// Access is the configuration of commands that ask Exchange themselves, and NATS only for the list of mailboxes.
type Access struct {
	NATS
	Exchange
	Log
}

func (a *Access) declare(s *settings) {
	a.NATS.declare(s)
	a.Exchange.declare(s)
	a.Log.declare(s)
}

func (a *Access) check(s *settings) {
	a.NATS.check(s)
	a.Exchange.check(s)
}
