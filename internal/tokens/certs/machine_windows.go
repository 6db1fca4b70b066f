package certs

import (
	"crypto/sha1" // how the store finds a certificate
	"crypto/x509"
	"errors"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

func localComputer() place { return machine{list: listMachine, sign: signMachine} }

// openMachine opens Local Computer → Personal, which Windows calls MY.
func openMachine() (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString("MY")
	if err != nil {
		return 0, err
	}
	const flags = windows.CERT_SYSTEM_STORE_LOCAL_MACHINE | windows.CERT_STORE_OPEN_EXISTING_FLAG | windows.CERT_STORE_READONLY_FLAG
	store, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, uintptr(unsafe.Pointer(name)))
	runtime.KeepAlive(name)
	return store, err
}

func closeMachine(store windows.Handle) { _ = windows.CertCloseStore(store, 0) }

func listMachine() ([]*x509.Certificate, error) {
	store, err := openMachine()
	if err != nil {
		return nil, err
	}
	defer closeMachine(store)
	var certs []*x509.Certificate
	var ctx *windows.CertContext
	for {
		// The context of the round before is given back by the call; the last round returns none.
		if ctx, err = windows.CertEnumCertificatesInStore(store, ctx); err != nil {
			if errors.Is(err, syscall.Errno(windows.CRYPT_E_NOT_FOUND)) {
				return certs, nil
			}
			return nil, err
		}
		der := append([]byte(nil), unsafe.Slice(ctx.EncodedCert, ctx.Length)...)
		if cert, err := x509.ParseCertificate(der); err == nil {
			certs = append(certs, cert)
		}
	}
}

// signMachine finds the certificate anew, so that no handle outlives the signature.
func signMachine(cert *x509.Certificate, digest []byte) ([]byte, error) {
	store, err := openMachine()
	if err != nil {
		return nil, err
	}
	defer closeMachine(store)
	sum := sha1.Sum(cert.Raw)
	hash := windows.CryptHashBlob{Size: uint32(len(sum)), Data: &sum[0]}
	ctx, err := windows.CertFindCertificateInStore(store, windows.X509_ASN_ENCODING|windows.PKCS_7_ASN_ENCODING, 0,
		windows.CERT_FIND_HASH, unsafe.Pointer(&hash), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = windows.CertFreeCertificateContext(ctx) }()
	// Asked for as a CNG key, which Windows also makes of one in an older provider (CSP).
	var key windows.Handle
	var spec uint32
	var mustFree bool
	const flags = windows.CRYPT_ACQUIRE_SILENT_FLAG | windows.CRYPT_ACQUIRE_ONLY_NCRYPT_KEY_FLAG
	if err := windows.CryptAcquireCertificatePrivateKey(ctx, flags, nil, &key, &spec, &mustFree); err != nil {
		return nil, err
	}
	if mustFree {
		defer func() { _, _, _ = ncryptFreeObject.Call(uintptr(key)) }()
	}
	return signPSS(key, digest)
}

var (
	ncrypt           = windows.NewLazySystemDLL("ncrypt.dll")
	ncryptSignHash   = ncrypt.NewProc("NCryptSignHash")
	ncryptFreeObject = ncrypt.NewProc("NCryptFreeObject")
)

// pssPadding is BCRYPT_PSS_PADDING_INFO (bcrypt.h).
type pssPadding struct {
	algorithm *uint16
	salt      uint32
}

const (
	padPSS = 0x8  // NCRYPT_PAD_PSS_FLAG
	silent = 0x40 // NCRYPT_SILENT_FLAG
)

// signPSS calls NCryptSignHash: https://learn.microsoft.com/windows/win32/api/ncrypt/nf-ncrypt-ncryptsignhash
func signPSS(key windows.Handle, digest []byte) ([]byte, error) {
	sha256, err := windows.UTF16PtrFromString("SHA256")
	if err != nil {
		return nil, err
	}
	padding := pssPadding{sha256, uint32(len(digest))}
	signature := make([]byte, 2048) // for keys of up to 16384 bits
	var size uint32
	status, _, _ := ncryptSignHash.Call(uintptr(key), uintptr(unsafe.Pointer(&padding)),
		uintptr(unsafe.Pointer(&digest[0])), uintptr(len(digest)),
		uintptr(unsafe.Pointer(&signature[0])), uintptr(len(signature)),
		uintptr(unsafe.Pointer(&size)), padPSS|silent)
	if status != 0 {
		return nil, syscall.Errno(uint32(status))
	}
	return signature[:size], nil
}
