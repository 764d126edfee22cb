package natsconf

import (
	"bytes"
	"fmt"
	"slices"
)

// render writes the server's configuration: the same for the same users and keys.
func render(o Options, users []User, keys map[string]string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# A NATS server between the processes of a shop, written by cutpoint nats-config.
# Run it from this directory, whose files it names: nats-server -c %s
# The certificate and its authority are good until %s; after that make everything anew (--force).

listen: %q

# A process that fell silent gets no calls any more after nine seconds.
ping_interval: "3s"
ping_max: 2

tls {
  cert_file: %q
  key_file:  %q
  min_version: "1.3"
  timeout: 5
}

# For the durable events of other systems. What the server acknowledges is on disk.
jetstream {
  store_dir: "jetstream"
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: 8GB
}

# Each process of the shop is a user, and may do what stands here and nothing else. A call's subject ends in the name of who calls,
# an answer's begins with the name of who gets it. Users prove who they are by a key whose secret half is not here.
authorization {
  timeout: 5
  users: [
`, ServerFile, o.Now.Add(Validity).UTC().Format("2006-01-02"), o.Listen, certificate, privateKey)
	for i, u := range users {
		if i > 0 {
			b.WriteByte('\n')
		}
		renderUser(&b, u, keys[u.Name])
	}
	b.WriteString("  ]\n}\n")
	return b.Bytes()
}

func renderUser(b *bytes.Buffer, u User, key string) {
	fmt.Fprintf(b, "    # %s: %s\n    {\n      nkey: %s\n      permissions {\n", u.Name, u.Why, key)
	if len(u.Publish) == 0 {
		fmt.Fprintf(b, "        publish { deny: %q }\n", ">") // an empty list would allow everything
	} else {
		renderList(b, "publish", u.Publish)
	}
	renderList(b, "subscribe", u.Subscribe)
	if u.Answers {
		fmt.Fprintf(b, "        allow_responses { max: 1, expires: %q } # one answer to each call\n", answerWithin)
	}
	b.WriteString("      }\n    }\n")
}

func renderList(b *bytes.Buffer, what string, subjects []string) {
	fmt.Fprintf(b, "        %s {\n          allow: [\n", what)
	for _, subject := range slices.Compact(subjects) {
		fmt.Fprintf(b, "            %q\n", subject)
	}
	b.WriteString("          ]\n        }\n")
}
