package host

import (
	"errors"
	"path/filepath"
	"strings"

	"cutpoint/platform/channel/natslayer"
)

// NATS are the flags that say how a process reaches the NATS server, and as whom.
type NATS struct {
	NATSKey     string `name:"nats-key" help:"File with the seed of this process's NATS user, from cutpoint nats-config." type:"path" placeholder:"FILE"`
	NATSUser    string `name:"nats-user" help:"Name of that user; the name of its file without .nk if not given." placeholder:"NAME"`
	NATSCreds   string `name:"nats-creds" help:"File with the user's JWT and key, for servers with operator and accounts; it needs --nats-user if users are kept apart." type:"path" placeholder:"FILE"`
	NATSCA      string `name:"nats-ca" help:"Authority that signed the NATS server's certificate, PEM." type:"path" placeholder:"FILE"`
	NATSCert    string `name:"nats-cert" help:"Certificate of this process, PEM, for servers that ask for one." type:"path" placeholder:"FILE"`
	NATSCertKey string `name:"nats-cert-key" help:"Its key." type:"path" placeholder:"FILE"`
	NATSPrefix  string `name:"nats-prefix" help:"First word of every NATS subject; two shops on one server have two." default:"cutpoint"`
}

// User is whom the server knows this process as; "" if it keeps nobody apart.
func (n NATS) User() string {
	if n.NATSUser != "" || n.NATSKey == "" {
		return n.NATSUser
	}
	name := filepath.Base(n.NATSKey)
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// ConnectOptions are those of a connection.
func (n NATS) ConnectOptions(program string) (natslayer.ConnectOptions, error) {
	if n.NATSKey != "" && n.NATSCreds != "" {
		return natslayer.ConnectOptions{}, errors.New("--nats-key and --nats-creds say who this process is: give one")
	}
	if (n.NATSCert == "") != (n.NATSCertKey == "") {
		return natslayer.ConnectOptions{}, errors.New("--nats-cert and --nats-cert-key belong together")
	}
	if user := n.User(); user != "" {
		program += " " + user
	}
	return natslayer.ConnectOptions{
		Name: program, Credentials: n.NATSCreds, Key: n.NATSKey, CA: n.NATSCA, Certificate: n.NATSCert, CertificateKey: n.NATSCertKey,
	}, nil
}
