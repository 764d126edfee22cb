package fences

import "slices"

// mutations returns the violations, by the fence that must see them.
func mutations() []mutation {
	return slices.Concat(forCompiler(), forLinter(), forImportRules(), forArchFile(), forSourceRules(), forContractRules())
}

func forCompiler() []mutation {
	return []mutation{
		{
			"a body imports its neighbour's body",
			[]edit{imports(ordersBody, "cutpoint/"+inventoryBody)},
			compiler, "use of internal package",
		},
		{
			"the program imports a body",
			[]edit{imports("cmd/cutpoint", "cutpoint/"+inventoryBody)},
			compiler, "use of internal package",
		},
		{
			"the platform imports a program's package",
			[]edit{imports("platform/web", "cutpoint/cmd/internal/client")},
			compiler, "use of internal package",
		},
		{
			"a contract imports its body",
			[]edit{imports("modules/pricing", "cutpoint/"+pricingBody)},
			compiler, "import cycle",
		},
		{
			"a contract promises what its client does not speak",
			[]edit{replace("modules/pricing/pricing.go", "type Service interface {", "type Service interface {\n\tHaggle(context.Context, PricesRequest) (PriceSet, error)\n")},
			compiler, "missing method Haggle",
		},
		{
			"a request has one name for two fields",
			[]edit{replace("modules/pricing/pricing.go", "type PricesRequest struct {", "type PricesRequest struct {\n\tOther string `json:\"sku\"`")},
			compiler, "repeats json tag",
		},
		{
			"a file does not parse",
			[]edit{intruder(pricingBody, "func broken( {")},
			compiler, "intruder.go:3",
		},
		{
			"a file does not parse, which the linter does not mind",
			[]edit{intruder(pricingBody, "func broken( {")},
			loading, pricingBody + "/intruder.go:3",
		},
	}
}

func forLinter() []mutation {
	breaks := func(name, dir, what string) mutation {
		return mutation{name, []edit{imports(dir, what)}, linter, what}
	}
	return []mutation{
		breaks("a contract imports the router", "modules/pricing", "github.com/labstack/echo/v4"),
		breaks("a contract imports the ORM", "modules/pricing", "gorm.io/gorm"),
		breaks("a contract imports another contract", "modules/pricing", "cutpoint/modules/inventory"),
		breaks("a contract imports the store", "modules/pricing", "cutpoint/platform/store"),
		breaks("a face imports its body", ordersFace, "cutpoint/"+ordersBody),
		breaks("a face imports another contract", ordersFace, "cutpoint/modules/inventory"),
		breaks("a face imports the router", ordersFace, "github.com/labstack/echo/v4"),
		breaks("a body imports the HTTP edge", ordersBody, "cutpoint/platform/web"),
		breaks("a body imports a contract that it may not call", pricingBody, "cutpoint/modules/inventory"),
		breaks("a body imports a vendor that it may not use", pricingBody, "github.com/google/uuid"),
		breaks("a body asks Stripe by itself", "modules/payments/internal/till", "github.com/stripe/stripe-go/v86"),
		breaks("a door checks Stripe's webhooks by itself", "modules/payments/paymentsmod", "github.com/stripe/stripe-go/v86/webhook"),
		breaks("a layer of channels other than the driver imports NATS", "platform/channel", "github.com/nats-io/nats.go"),
		breaks("a door imports another module's door", ordersDoor, "cutpoint/modules/inventory/inventorymod"),
		breaks("the platform imports a module", "platform/web", "cutpoint/modules/orders"),
		breaks("a lower layer of the platform imports a higher one", "platform/store", "cutpoint/platform/rpc"),
		breaks("a tool imports a module", "cmd/internal/load", "cutpoint/modules/orders"),
		breaks("a tool imports the composition root", "cmd/internal/load", "cutpoint/cmd/internal/shop"),
		breaks("a module imports the migrations where it is no door", ordersBody, "cutpoint/migrations"),
	}
}

func forImportRules() []mutation {
	return []mutation{
		{
			"a contract imports net/http",
			[]edit{intruder("modules/pricing", "import \"net/http\"\n\nconst OK = http.StatusOK")},
			byRule("contract-imports"), "imports net/http",
		},
		{
			"a contract imports database/sql",
			[]edit{intruder("modules/pricing", "import \"database/sql\"\n\nconst None = sql.LevelDefault")},
			byRule("contract-imports"), "imports database/sql",
		},
		{
			"two modules call each other, by permission",
			[]edit{
				intruder(pricingBody, "import \"cutpoint/modules/orders\"\n\nconst limit = orders.MaxLines"),
				replace(archName, "mayDependOn: [pricing-contract, audit, fault,", "mayDependOn: [pricing-contract, orders-contract, audit, fault,"),
			},
			byRule("no-cycle"), "pricing -> orders",
		},
		{
			"a door links another module's door by way of the platform",
			[]edit{
				add("platform/bridge/bridge.go", "package bridge\n\nimport _ \"cutpoint/modules/inventory/inventorymod\"\n"),
				imports(pricingDoor, "cutpoint/platform/bridge"),
			},
			byRule("apart"), pricingDoor + "/intruder.go:3",
		},
		{
			"a door gives its body away",
			[]edit{intruder(ordersDoor, "import \"cutpoint/modules/orders\"\n\n// Body is the body.\nfunc (m *Module) Body() orders.Service { return nil }")},
			byRule("body-stays"), "Body of " + ordersDoor,
		},
		{
			"a door gives its body away, under another name",
			[]edit{intruder(ordersDoor, "import \"cutpoint/"+ordersBody+"\"\n\n// Whole is the body.\ntype Whole = checkout.Checkout\n\n// Body is the body.\nfunc (m *Module) Body() *Whole { return nil }")},
			byRule("body-stays"), "Body of " + ordersDoor,
		},
		{
			"a tool knows two doors",
			[]edit{intruder("cmd/internal/load", "import (\n\t_ \"cutpoint/modules/inventory/inventorymod\"\n\t_ \"cutpoint/modules/orders/ordersmod\"\n)")},
			byRule("one-root"), "cmd/internal/load/intruder.go",
		},
		{
			"a test of a door opens another module's door",
			[]edit{add(pricingDoor+"/intruder_test.go", "package pricingmod\n\nimport _ \"cutpoint/modules/inventory/inventorymod\"\n")},
			byRule("test-imports"), pricingDoor + "/intruder_test.go:3",
		},
	}
}

func forArchFile() []mutation {
	return []mutation{
		{
			"a new package that is in no component",
			[]edit{add("platform/extra/extra.go", "// Package extra is new.\npackage extra\n")},
			byRule("mapped"), "platform/extra/extra.go:1",
		},
		{
			"the ORM in a contract, through a component that overlaps",
			[]edit{
				imports("modules/pricing", "gorm.io/gorm"),
				replace(archName, "components:\n", "components:\n  back-door: { in: [modules/pricing, platform/store] }\n"),
				replace(archName, "deps:\n", "deps:\n  back-door: { mayDependOn: [fault, money, rpc], canUse: [gorm] }\n"),
			},
			byRule("mapped"), "modules/pricing belongs to back-door and pricing-contract",
		},
		{
			"a component that nobody imports any more is still permitted",
			[]edit{replace(archName, "pricing-contract: { mayDependOn: [audit, fault,", "pricing-contract: { mayDependOn: [revision, audit, fault,")},
			byRule("unused-permission"), "pricing-contract never imports revision",
		},
		{
			"a vendor that nobody imports any more is still permitted",
			[]edit{replace(archName, "id: { canUse: [uuid]", "id: { canUse: [currency, uuid]")},
			byRule("unused-permission"), "id never imports vendor currency",
		},
		{
			"a component that everybody may import",
			[]edit{replace(archName, "components:\n", "commonComponents: [web]\ncomponents:\n")},
			byRule("arch-file"), "commonComponents",
		},
		{
			"a component that may import everything",
			[]edit{replace(archName, "id: { canUse: [uuid] }", "id: { anyVendorDeps: true }")},
			byRule("arch-file"), "anyVendorDeps",
		},
		{
			"the vendors are let loose",
			[]edit{replace(archName, "depOnAnyVendor: false", "depOnAnyVendor: true")},
			byRule("arch-file"), "depOnAnyVendor",
		},
	}
}

func forSourceRules() []mutation {
	breaks := func(name, dir, code, rule, says string) mutation {
		return mutation{name, []edit{intruder(dir, code)}, byRule(rule), says}
	}
	here := inventoryBody + "/intruder.go:"
	return []mutation{
		breaks("a body imports unsafe", inventoryBody, "import \"unsafe\"\n\nconst size = unsafe.Sizeof(0)", "hatch", here+"3"),
		breaks("a body reaches a private function by its linker name", inventoryBody,
			"import _ \"unsafe\"\n\n//go:linkname now time.now\nfunc now() (sec int64, nsec int32, mono int64)", "hatch", here+"5"),
		breaks("a body calls C", inventoryBody, "// int one() { return 1; }\nimport \"C\"\n\nfunc one() int { return int(C.one()) }", "hatch", here+"4"),
		{
			"a body contains assembly",
			[]edit{add(inventoryBody+"/intruder_amd64.s", "TEXT ·one(SB), $0-0\n\tRET\n"), intruder(inventoryBody, "func one()")},
			byRule("hatch"), inventoryBody + "/intruder_amd64.s:1",
		},
		{
			"a body embeds a file",
			[]edit{
				add(inventoryBody+"/levels.sql", "SELECT 1;\n"),
				intruder(inventoryBody, "import _ \"embed\"\n\n//go:embed levels.sql\nvar levelsQuery string"),
			},
			byRule("hatch"), here + "5",
		},
		breaks("a body imports a package for its side effects", inventoryBody, "import _ \"expvar\"", "hatch", here+"3"),
		breaks("a body imports a package without its name", inventoryBody, "import . \"os\"\n\nfunc home() { _ = Setenv(\"HOME\", \"/\") }", "hatch", here+"3"),

		breaks("a body has an init function", inventoryBody, "func init() {}", "state", "init function"),
		breaks("a body remembers in a package variable", inventoryBody,
			"var seenBefore = map[string]bool{}\n\nfunc remember(s string) { seenBefore[s] = true }", "state", "seenBefore"),
		breaks("a body writes into its table", inventoryBody,
			"var labels = map[string]string{\"a\": \"b\"}\n\nfunc relabel(s string) { labels[s] = s }", "state", "labels"),
		breaks("a body hands its table to somebody", inventoryBody,
			"var letters = []string{\"a\"}\n\nfunc alphabet() []string { return letters }", "state", "letters"),
		breaks("a body counts in a package variable", inventoryBody, "var counted int\n\nfunc count() { counted++ }", "state", "counted"),
		breaks("a contract exports a variable", "modules/pricing", "var Limits = []int{1}", "state", "Limits"),

		breaks("a body changes the environment", inventoryBody, "import \"os\"\n\nfunc home() { _ = os.Setenv(\"HOME\", \"/\") }", "process", "os.Setenv"),
		breaks("a body changes the default logger", inventoryBody,
			"import \"log/slog\"\n\nfunc hush() { slog.SetDefault(slog.New(slog.DiscardHandler)) }", "process", "log/slog.SetDefault"),
		breaks("a face takes the default mux", ordersFace,
			"import \"net/http\"\n\nfunc mux() http.Handler { return http.DefaultServeMux }", "process", "http.DefaultServeMux"),

		breaks("a body looks at the clock", inventoryBody, "import \"time\"\n\nfunc clock() time.Time { return time.Now() }", "outside", "time.Now"),
		breaks("a body throws dice", inventoryBody, "import \"math/rand/v2\"\n\nfunc dice() int { return rand.IntN(6) }", "outside", "math/rand/v2.IntN"),

		breaks("a body calls the shop by HTTP", inventoryBody,
			"import \"net/http\"\n\nfunc callHome() (*http.Response, error) { return http.Get(\"http://127.0.0.1:8080/v1/orders\") }", "network", "net/http.Get"),
		breaks("a face has a client, by another name of the package", ordersFace,
			"import web2 \"net/http\"\n\nfunc client() *web2.Client { return &web2.Client{} }", "network", "net/http.Client"),
		breaks("a body opens connections beside its adapter", "modules/webhooks/internal/outgoing",
			"import \"net/http\"\n\nfunc ask() (*http.Response, error) { return http.Get(\"http://127.0.0.1:8080/v1/orders\") }", "network", "net/http.Get"),
		breaks("a door opens a connection", ordersDoor,
			"import \"net\"\n\nfunc dial() (net.Conn, error) { return net.Dial(\"tcp\", \"127.0.0.1:8080\") }", "network", "net.Dial"),
		breaks("a body reads its neighbour's table", inventoryBody,
			"func peek() string { return \"SELECT id FROM sagas\" }", "own-tables", "names the table sagas of orders"),
	}
}

func forContractRules() []mutation {
	field := func(name, declaration, says string) mutation {
		return mutation{name, []edit{replace("modules/pricing/pricing.go", "type PricesRequest struct {", "type PricesRequest struct {\n\t"+declaration)}, wireTests, says}
	}
	return []mutation{
		{
			"a contract promises what nobody serves",
			[]edit{
				replace("modules/pricing/pricing.go", "type Service interface {", "type Service interface {\n\tHaggle(context.Context, PricesRequest) (PriceSet, error)\n"),
				intruder("modules/pricing", "import \"context\"\n\nfunc (c Client) Haggle(ctx context.Context, r PricesRequest) (PriceSet, error) {\n\treturn c.Prices(ctx, r)\n}"),
			},
			byRule("served"), "method Haggle of pricing.Service is not served",
		},
		{
			"one operation serves two methods",
			[]edit{replace("modules/pricing/wire.go", "rpc.Handle(s, prices, body.Prices)", "rpc.Handle(s, prices, body.Prices)\n\trpc.Handle(s, prices, body.Prices)")},
			byRule("served"), "operation prices serves more than one method",
		},
		field("a request contains a function", "Hook func() `json:\"hook\"`", "a func (func()) can't cross a wire"),
		field("a request contains a channel", "Done chan int `json:\"done\"`", "a chan (chan int) can't cross a wire"),
		field("a request contains anything", "Extra any `json:\"extra\"`", "a interface (interface {}) can't cross a wire"),
		field("a request contains a field that is not exported", "secret string", "pricing.PricesRequest.secret would be lost"),
		field("a request contains itself", "Next *PricesRequest `json:\"next\"`", "pricing.PricesRequest contains itself"),
		field("a request contains a field that is not sent", "Other string `json:\"-\"`", "pricing.PricesRequest.Other would be lost"),
		{
			"a new interface of a contract is not tested",
			[]edit{intruder("modules/pricing", "// Auctioneer is new.\ntype Auctioneer interface{}")},
			wireTests, "pricing.Auctioneer",
		},
	}
}
