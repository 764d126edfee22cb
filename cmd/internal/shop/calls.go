package shop

import (
	"slices"

	"cutpoint/cmd/internal/host"
	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/modules/webhooks"
)

// Edge is the name under which the HTTP faces call modules.
const Edge = host.Edge

// Calls names the modules that one calls, or the edge. A test holds it against the
// permissions in arch-lint.yml, which the fences hold against the imports.
func Calls(caller string) []string {
	switch caller {
	case orders.Module:
		return []string{inventory.Module, pricing.Module, payments.Module}
	case webhooks.Module:
		return []string{orders.Module}
	case Edge:
		return Modules()
	}
	return nil
}

// CallsOf names the modules that a process calls which hosts some of them, or the edge, or both.
func CallsOf(hosts []string) (calls []string) {
	for _, module := range Modules() {
		calls = append(calls, called(module, hosts)...)
	}
	return calls
}

func called(module string, hosts []string) []string {
	if slices.ContainsFunc(hosts, func(host string) bool { return slices.Contains(Calls(host), module) }) {
		return []string{module}
	}
	return nil
}
