package daemon

import (
	"fmt"

	"roomsync/internal/config"
	"roomsync/internal/ews"
	"roomsync/internal/tokens"
	"roomsync/internal/tokens/entra"
)

func credentials(c config.Exchange) (_ ews.Credentials, closeIt func(), err error) {
	switch c.Auth {
	case config.AuthBasic:
		password, err := c.Password()
		if err != nil {
			return nil, nil, err
		}
		return ews.Basic(c.Username, password.Reveal()), func() {}, nil
	case config.AuthSecret:
		client, err := entra.New(entra.Options{
			TenantID: c.TenantID, ClientID: c.AppID, Secret: c.ClientSecret,
			AuthorityURL: c.AuthorityURL, AllowInsecure: c.AllowInsecure,
		})
		if err != nil {
			return nil, nil, err
		}
		cache := tokens.NewCache(client.Token)
		return tokens.Bearer(cache), cache.Close, nil
	}
	return nil, nil, fmt.Errorf("daemon: --auth %s is not available in this build yet", c.Auth)
}
