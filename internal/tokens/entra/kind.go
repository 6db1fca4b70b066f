package entra

import "errors"

// kind is one of the ways to sign in, and how messages speak of it.
type kind struct {
	name  string // value of --auth
	what  string // what the application or the service user proves itself with
	where string // the flag that it is given by, and ROOMS' key where there is one
	scope string
	// permission is what has to be granted under API permissions of the app registration.
	permission string
}

const appPermission = "Application permissions, full_access_as_app"

var (
	secret = kind{"secret", "the client secret", "--client-secret-file (ExchangeClientSecret)", DefaultScope, appPermission}

	certificate = kind{"certificate", "the certificate", "--cert-thumbprint (ExchangeCertThumbprint) and --cert-dir", DefaultScope, appPermission}

	federated = kind{"federated", "the federated token", "--federated-token-file (AZURE_FEDERATED_TOKEN_FILE)", DefaultScope, appPermission}

	delegated = kind{"delegated", "the service user's password", "--username (ExchangeServiceUser) and --password-file (ExchangeServicePassword)",
		DefaultDelegatedScope, "Delegated permissions, EWS.AccessAsUser.All"}
)

// kind finds out which way to sign in the options describe.
func (o *Options) kind() (kind, error) {
	var found []kind
	for _, x := range []struct {
		given bool
		kind  kind
	}{
		{o.Secret != nil, secret}, {o.Certificate != nil, certificate}, {o.Assertion != nil, federated}, {o.Password != nil, delegated},
	} {
		if x.given {
			found = append(found, x.kind)
		}
	}
	switch len(found) {
	case 0:
		return kind{}, errors.New("there is nothing to sign in with: give a client secret, a certificate, a federated token or a service user's password")
	case 1:
		return found[0], nil
	}
	return kind{}, errors.New("there are several ways to sign in, " + found[0].what + " and " + found[1].what + ": give one")
}
