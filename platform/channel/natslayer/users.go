package natslayer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
)

// A server may keep processes apart: each is a user of it, with permissions for just the subjects that it needs. Then these have the
// user's name where it matters, so that a permission can hold it:
//
//	cutpoint.inventory.request.orders          a call of orders: nobody else may publish there, so it is signed
//	cutpoint.response.orders.<process>.<slot>  its answer: nobody else may subscribe there
//
// A process that hosts inventory may publish an answer, one to each call that it received, and to nothing else (allow_responses in
// the server's configuration). The server lets a caller name any subject as the one for the answer; a layer with a user drops a call
// whose answer would not go to its caller, or else everybody could have others publish in their place.
//
// Such a layer carries calls and answers. Messages that want no answer, groups and channels that are no module's are refused with
// channel.ErrNotAllowed, since no module has a use for them and each would be one more permission.

const requestSuffix = ".request"

// Permissions are the subjects of a user, as the server's configuration writes them: a subscription with a queue group has it
// after a space.
type Permissions struct {
	Publish, Subscribe []string
	Answers            bool // it may publish one answer to each message that it received
}

// CheckUser tells what is wrong with the name of a user.
func CheckUser(user string) error {
	if strings.ContainsAny(user, ".!") || channel.CheckName(user) != nil {
		return fmt.Errorf("user %q of the NATS server: a name has letters, digits, - and _ only", user)
	}
	return nil
}

// CheckPrefix tells what is wrong with a prefix of subjects.
func CheckPrefix(prefix string) error {
	if err := channel.CheckName(prefix); err != nil {
		return fmt.Errorf("subject prefix: %w", err)
	}
	return nil
}

// Needs are the permissions of a user whose processes host some modules and call others. It calls what it hosts without the server.
func Needs(prefix, user string, hosts, calls []string) Permissions {
	p := Permissions{
		Subscribe: []string{prefix + "." + responses(user) + "*.*"},
		Answers:   len(hosts) > 0,
	}
	for _, module := range calls {
		if !slices.Contains(hosts, module) {
			p.Publish = append(p.Publish, prefix+"."+module+requestSuffix+"."+user)
		}
	}
	for _, module := range hosts {
		p.Subscribe = append(p.Subscribe, prefix+"."+module+requestSuffix+".* "+module)
	}
	if p.Answers {
		p.Subscribe = append(p.Subscribe, discovery(hosts)...)
	}
	return p
}

// discovery are the subjects that package micro subscribes to for each service.
func discovery(modules []string) (subjects []string) {
	for _, verb := range []string{"PING", "STATS", "INFO"} {
		subjects = append(subjects, "$SRV."+verb)
		for _, module := range modules {
			subjects = append(subjects, "$SRV."+verb+"."+module, "$SRV."+verb+"."+module+".*")
		}
	}
	return subjects
}

// Inbox is below what a user takes the answers to requests that are no calls, those to JetStream for instance.
func Inbox(prefix, user string) string { return prefix + ".inbox." + user }

// responses begins the names of a user's reply slots.
func responses(user string) string {
	if user == "" {
		return "response."
	}
	return "response." + user + "."
}

// request is the subject of this process's calls to a channel.
func (l *Layer) request(to string) string {
	if l.options.User == "" {
		return l.subject(to)
	}
	return l.subject(to) + "." + l.options.User
}

// requests is the subject of everybody's calls to a channel.
func (l *Layer) requests(to string) string {
	if l.options.User == "" {
		return l.subject(to)
	}
	return l.subject(to) + ".*"
}

// isForged reports whether a message wants its answer anywhere but with the user who sent it.
func (l *Layer) isForged(in *nats.Msg) bool {
	if l.options.User == "" {
		return false
	}
	to, ok := l.slotOf(in.Reply)
	return !ok || to.User != in.Subject[strings.LastIndexByte(in.Subject, '.')+1:]
}
