package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/policy"
	"roomsync/internal/exchangesim/store"
)

// prepare registers the app's credentials and sets what the administrators have decided.
func (f *flags) prepare(sim *exchangesim.Server) error {
	return errors.Join(f.registerApp(sim), f.federate(sim), f.restrict(sim), f.delegates(sim))
}

// registerApp adds the app's certificate.
func (f *flags) registerApp(sim *exchangesim.Server) error {
	if f.appCert == "" {
		return nil
	}
	text, err := os.ReadFile(f.appCert)
	if err != nil {
		return fmt.Errorf("--app-cert: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("--app-cert %s: no PEM block in it", f.appCert)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err == nil {
		err = sim.Entra().AddCertificate(cert)
	}
	if err != nil {
		return fmt.Errorf("--app-cert %s: %w", f.appCert, err)
	}
	return nil
}

// federate makes the app trust a subject's tokens, and writes one.
func (f *flags) federate(sim *exchangesim.Server) error {
	if f.subject == "" {
		return nil
	}
	err := sim.Entra().AddFederatedCredential(entra.FederatedCredential{Name: "flag", Issuer: entra.SimulatedIssuer, Subject: f.subject})
	if err != nil || f.subjectFile == "" {
		return err
	}
	token, err := sim.Entra().IssueFederatedToken(entra.FederatedToken{Subject: f.subject, Lifetime: 24 * time.Hour})
	if err == nil {
		err = os.WriteFile(f.subjectFile, []byte(token), 0o600)
	}
	if err != nil {
		return fmt.Errorf("--federated-token-out: %w", err)
	}
	return nil
}

// restrict makes the application access policy.
func (f *flags) restrict(sim *exchangesim.Server) error {
	if len(f.restrictTo) == 0 {
		return nil
	}
	for _, address := range f.restrictTo {
		if sim.Company().Mailbox(address) == nil {
			return fmt.Errorf("--restrict-to %s: there is no such mailbox", address)
		}
	}
	const group = "SyncIsAllowed"
	sim.Policy().SetGroup(group, f.restrictTo, 0)
	_, err := sim.Policy().AddAccessPolicy(policy.AccessPolicy{AppID: entra.DefaultAppID, Right: policy.RestrictAccess, Group: group}, 0)
	return err
}

func (f *flags) delegates(sim *exchangesim.Server) error {
	if !f.delegate {
		return nil
	}
	return sim.Delegate(exchangesim.ServiceUser, store.Editor)
}
