// Command open opens a sealed record with Tink: open RECORD KEYFILE SEALED OUT
package main

import (
	"encoding/hex"
	"io"
	"log"
	"os"
	"strings"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: open RECORD KEYFILE SEALED OUT")
	}
	record, keyFile, sealed, out := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	if err := open(record, keyFile, sealed, out+".part"); err != nil {
		os.Remove(out + ".part") // only the whole record is the record
		log.Fatal(err)
	}
	if err := os.Rename(out+".part", out); err != nil {
		log.Fatal(err)
	}
}

func open(record, keyFile, sealed, out string) error {
	recordID, err := hex.DecodeString(record)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	dataKey, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	cipher, err := subtle.NewAESGCMHKDF(dataKey, "SHA256", 32, 1048576, 0)
	if err != nil {
		return err
	}
	source, err := os.Open(sealed)
	if err != nil {
		return err
	}
	defer source.Close()
	plain, err := cipher.NewDecryptingReader(source, recordID)
	if err != nil {
		return err
	}
	target, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, plain); err != nil {
		target.Close()
		return err
	}
	return target.Close()
}
