package inventorymod

// Settings are what users choose about the module; the tags make flags of them.
type Settings struct {
	Sourcing string `help:"Whether the stock of one order may come from several locations: split or whole." enum:"split,whole" default:"split"`
}
