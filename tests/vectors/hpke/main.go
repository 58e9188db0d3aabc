// Command hpke makes and checks vectors of wrapped data keys with Go's own crypto/hpke.
//
//	go run . seal SEED...   prints vectors: wrapped by Go, to key pairs with these 32-byte seeds in hex
//	go run . open FILE      opens the vectors of a file, as another implementation made them
//
// It shares no code with CareGrid: RFC 9180 and draft-ietf-hpke-pq as Go has them.
package main

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
)

// Hexed is bytes that stand as hex in JSON.
type Hexed []byte

// MarshalText gives the hex digits.
func (h Hexed) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText reads hex digits.
func (h *Hexed) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// Vector is one wrapped data key and all that opens it.
type Vector struct {
	Seed      Hexed `json:"seed"`
	PublicKey Hexed `json:"public_key"`
	RecordID  Hexed `json:"record_id"`
	Account   Hexed `json:"account"`
	DataKey   Hexed `json:"data_key"`
	Wrapped   Hexed `json:"wrapped"`
}

var (
	kem  = hpke.MLKEM768X25519()
	kdf  = hpke.HKDFSHA256()
	aead = hpke.AES256GCM()
)

func info(v Vector) []byte {
	return bytes.Join([][]byte{[]byte("caregrid/data-key/v1"), v.RecordID, v.Account}, nil)
}

func sealed(seed []byte) (Vector, error) {
	private, err := kem.NewPrivateKey(seed)
	if err != nil {
		return Vector{}, err
	}
	v := Vector{Seed: seed, PublicKey: private.PublicKey().Bytes(), RecordID: random(16), Account: random(32), DataKey: random(32)}
	v.Wrapped, err = hpke.Seal(private.PublicKey(), kdf, aead, info(v), v.DataKey)
	return v, err
}

func opened(v Vector) error {
	private, err := kem.NewPrivateKey(v.Seed)
	if err != nil {
		return err
	}
	if !bytes.Equal(private.PublicKey().Bytes(), v.PublicKey) {
		return fmt.Errorf("the seed has another public key")
	}
	plain, err := hpke.Open(private, kdf, aead, info(v), v.Wrapped)
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, v.DataKey) {
		return fmt.Errorf("another data key came out")
	}
	v.RecordID = bytes.Repeat([]byte{0}, 16)
	if _, err := hpke.Open(private, kdf, aead, info(v), v.Wrapped); err == nil {
		return fmt.Errorf("it opens for another record, too")
	}
	return nil
}

func random(length int) []byte {
	made := make([]byte, length)
	rand.Read(made)
	return made
}

func sealAll(seeds []string) {
	vectors := []Vector{}
	for _, text := range seeds {
		var seed Hexed
		must(seed.UnmarshalText([]byte(text)))
		vector, err := sealed(seed)
		must(err)
		vectors = append(vectors, vector)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	must(out.Encode(vectors))
}

func openAll(path string) {
	text, err := os.ReadFile(path)
	must(err)
	var vectors []Vector
	must(json.Unmarshal(text, &vectors))
	for number, vector := range vectors {
		if err := opened(vector); err != nil {
			log.Fatalf("vector %d: %v", number, err)
		}
	}
	fmt.Printf("%d vectors open\n", len(vectors))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	switch {
	case len(os.Args) > 2 && os.Args[1] == "seal":
		sealAll(os.Args[2:])
	case len(os.Args) == 3 && os.Args[1] == "open":
		openAll(os.Args[2])
	default:
		log.Fatal("usage: seal SEED... | open FILE")
	}
}
