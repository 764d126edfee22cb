package catalogue

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"cutpoint/cmd/internal/client"
)

// Locations of the demonstration. Stock is taken from them in the order of their codes.
const (
	north  = "north"
	outlet = "outlet"
)

// Demo is the catalogue of the demonstration: a shop for the desk, the kitchen and the way to work. An item that lies at several
// locations has a row for each.
func Demo() []Row {
	rows := []Row{
		thing("MUG-1", "Mug, stoneware, 300 ml", 1_000_000, 1290, 1390, 2100),
		thing("SHIRT-1", "T-shirt, organic cotton", 1_000_000, 2490, 2690, 3980),
		thing("POSTER-1", "Poster, 50 x 70 cm", 1_000_000, 1990, 2190, 3200),
		thing("BOOK-1", "Notebook, dotted, A5", 1_000_000, 1450, 1590, 2300),
		thing("BAG-1", "Tote bag, canvas", 1_000_000, 1800, 1990, 2900),
		thing("CAP-1", "Cap, washed twill", 1_000_000, 2200, 2390, 3500),
		thing("PIN-1", "Enamel pin, the last one", 1, 690, 750, 1100),
	}
	for _, group := range [][]Row{tableware(), clothing(), paper(), bags(), kitchen(), walls(), rarities()} {
		rows = append(rows, group...)
	}
	return rows
}

// Wanted are SKUs of the demonstration that somebody wants every day, the ones that are wanted most several times.
func Wanted() []string {
	return []string{
		"MUG-1", "MUG-1", "MUG-1", "SHIRT-1", "SHIRT-1", "POSTER-1", "POSTER-1", "BOOK-1", "BOOK-1", "BAG-1", "CAP-1",
		"CARD-MIX", "CARD-MIX", "GLASS-W", "PENCIL-HB", "PENCIL-HB", "ENVELOPE-20", "TAPE-3", "BOOK-RULED-A5", "PLATE-L", "PLATE-S", "BOWL-M",
		"SOCKS-MERINO", "TOWEL-LINEN", "COFFEE-250", "TEA-GRN", "FILTER-100", "KEYRING-CORD", "POUCH-S", "MUG-T", "CHAIR-DESK",
	}
}

// Rare are SKUs of the demonstration that will be gone soon.
func Rare() []string { return []string{"PIN-1", "PRINT-SIGNED", "VASE-ONE", "GLOBE-20CM", "SEED-BOX"} }

// thing is a row with a price for one unit in each currency of the demonstration.
func thing(sku, name string, stock, eur, usd, jpy int64) Row {
	return Row{SKU: sku, Name: name, Stock: &stock, Prices: []Price{
		{Currency: "EUR", Amount: eur}, {Currency: "USD", Amount: usd}, {Currency: "JPY", Amount: jpy},
	}}
}

// cheaper adds prices that are a tenth lower from a quantity on, rounded to a price that looks like one.
func cheaper(from int64, r Row) Row {
	for _, p := range r.Prices {
		r.Prices = append(r.Prices, Price{Currency: p.Currency, Amount: p.Amount * 9 / 100 * 10, MinQuantity: from})
	}
	return r
}

// also lays more of the same item at another location.
func also(location string, units int64, r Row) Row {
	return Row{SKU: r.SKU, Name: r.Name, Location: location, Stock: &units}
}

func tableware() []Row {
	plate := cheaper(6, thing("PLATE-L", "Dinner plate, sand glaze, 27 cm", 2_400, 1690, 1850, 2700))
	return []Row{
		plate, also(north, 600, plate), also(outlet, 80, plate),
		cheaper(6, thing("PLATE-S", "Side plate, sand glaze, 19 cm", 2_400, 1190, 1290, 1900)),
		cheaper(6, thing("BOWL-M", "Cereal bowl, sand glaze", 1_800, 1390, 1490, 2200)),
		thing("BOWL-XL", "Salad bowl, sand glaze, 30 cm", 240, 4900, 5400, 7900),
		cheaper(12, thing("GLASS-W", "Tumbler, recycled glass, 250 ml", 5_000, 590, 650, 950)),
		thing("CARAFE-1L", "Carafe with a cork, 1 l", 420, 2650, 2890, 4300),
		thing("MUG-SET-4", "Mugs, stoneware, set of four", 300, 4590, 4990, 7400),
		thing("MUG-T", "Travel mug, steel, 400 ml", 900, 2990, 3290, 4800),
		thing("TEAPOT-IRON", "Teapot, cast iron, 0.8 l", 150, 5900, 6490, 9500),
	}
}

func clothing() []Row {
	var rows []Row
	for _, size := range []struct {
		code  string
		stock int64
	}{{"S", 320}, {"M", 640}, {"L", 640}, {"XL", 210}} {
		hoodie := thing("HOODIE-GRN-"+size.code, "Hoodie, moss green, "+size.code, size.stock, 5990, 6490, 9600)
		rows = append(rows, hoodie, also(north, size.stock/4, hoodie),
			thing("SHIRT-NVY-"+size.code, "T-shirt, navy, "+size.code, size.stock, 2490, 2690, 3980),
			thing("SHIRT-OAT-"+size.code, "T-shirt, oatmeal, "+size.code, size.stock, 2490, 2690, 3980))
	}
	return append(rows,
		cheaper(3, thing("SOCKS-MERINO", "Socks, merino, one size", 1_500, 1290, 1390, 2050)),
		thing("BEANIE-RIB", "Beanie, ribbed wool", 480, 2490, 2690, 3980),
		thing("SCARF-LAMBSWOOL", "Scarf, lambswool, two-tone", 220, 4490, 4890, 7200),
		thing("APRON-STRIPE", "Apron, striped linen", 350, 3490, 3790, 5600),
	)
}

func paper() []Row {
	cards := cheaper(10, thing("CARD-MIX", "Greeting card, letterpress, assorted", 8_000, 390, 420, 620))
	return []Row{
		cards, also(outlet, 900, cards),
		cheaper(5, thing("BOOK-RULED-A5", "Notebook, ruled, A5", 4_000, 1450, 1590, 2300)),
		cheaper(5, thing("BOOK-BLANK-A4", "Notebook, blank, A4", 1_600, 1990, 2190, 3200)),
		thing("PLANNER-27", "Planner for 2027, a week on two pages", 700, 2450, 2690, 3950),
		cheaper(12, thing("PENCIL-HB", "Pencil, cedar, HB", 12_000, 120, 130, 190)),
		thing("PEN-FINE", "Rollerball, brass, fine", 260, 3800, 4150, 6100),
		thing("INK-BLU", "Ink, midnight blue, 50 ml", 500, 1150, 1250, 1850),
		thing("TAPE-3", "Paper tape, three rolls", 1_900, 850, 920, 1350),
		thing("ENVELOPE-20", "Envelopes, C6, twenty", 2_600, 690, 750, 1100),
	}
}

func bags() []Row {
	return []Row{
		thing("BACKPACK-18L", "Backpack, waxed canvas, 18 l", 260, 11900, 12900, 19000),
		thing("SLEEVE-13", "Laptop sleeve, felt, 13 inch", 540, 3900, 4250, 6300),
		thing("SLEEVE-15", "Laptop sleeve, felt, 15 inch", 540, 4200, 4600, 6800),
		thing("POUCH-S", "Pouch with a zip, small", 1_100, 1490, 1590, 2400),
		thing("WALLET-CARD", "Card wallet, leather", 380, 3290, 3590, 5300),
		thing("KEYRING-CORD", "Key ring, braided cord", 3_000, 790, 850, 1250),
		thing("UMBRELLA-FOLD", "Umbrella, folding, storm-proof", 420, 2890, 3150, 4600),
	}
}

func kitchen() []Row {
	coffee := cheaper(4, thing("COFFEE-250", "Coffee beans, medium roast, 250 g", 1_200, 990, 1090, 1600))
	coffee.TaxCategory = "food"
	tea := thing("TEA-GRN", "Green tea, loose, 100 g", 800, 1190, 1290, 1900)
	tea.TaxCategory = "food"
	honey := thing("HONEY-LINDEN", "Honey, linden, 500 g", 160, 890, 970, 1450)
	honey.TaxCategory = "food"
	return []Row{
		coffee, also(north, 400, coffee), tea, honey,
		thing("DRIPPER-PORCELAIN", "Coffee dripper, porcelain", 340, 2290, 2490, 3700),
		cheaper(3, thing("FILTER-100", "Paper filters, a hundred", 2_200, 550, 600, 890)),
		thing("GRINDER-HAND", "Hand grinder, steel burrs", 140, 6900, 7500, 11000),
		thing("BOARD-OAK", "Chopping board, oak", 310, 3990, 4350, 6400),
		cheaper(4, thing("TOWEL-LINEN", "Tea towel, half linen", 1_700, 1090, 1190, 1750)),
		thing("SPOON-3", "Wooden spoons, three", 900, 1590, 1750, 2550),
		thing("KNIFE-PARING", "Paring knife, 9 cm", 270, 2750, 2990, 4400),
	}
}

func walls() []Row {
	return []Row{
		thing("POSTER-TRAIN", "Poster, night train, 50 x 70 cm", 600, 1990, 2190, 3200),
		thing("POSTER-LIGHTHOUSE", "Poster, lighthouse, 50 x 70 cm", 600, 1990, 2190, 3200),
		thing("POSTER-BOTANICAL", "Poster, botanical, 30 x 40 cm", 900, 1290, 1390, 2100),
		thing("FRAME-5070", "Frame, ash, 50 x 70 cm", 230, 4490, 4900, 7200),
		thing("FRAME-3040", "Frame, ash, 30 x 40 cm", 410, 2790, 2990, 4500),
		thing("CLOCK-BIRCH", "Wall clock, birch", 120, 5490, 5990, 8800),
		thing("LAMP-BRASS", "Desk lamp, brass arm", 90, 8900, 9700, 14300),
	}
}

// rarities are few, or not there yet.
func rarities() []Row {
	order := thing("CHAIR-DESK", "Desk chair, made to order", 0, 34900, 38000, 56000)
	yes := true
	order.Backorder = &yes
	return []Row{
		order,
		thing("PRINT-SIGNED", "Lithograph, signed and numbered", 5, 18000, 19500, 29000),
		thing("VASE-ONE", "Vase, one of a kind", 1, 12500, 13600, 20000),
		thing("GLOBE-20CM", "Globe, hand-painted, 20 cm", 3, 21900, 23800, 35000),
		thing("SEED-BOX", "Seed box, last year's edition", 8, 1790, 1950, 2900),
	}
}

// Coupons of the demonstration.
const (
	CouponTenth = "WELCOME10" // a tenth off, as often as one likes
	CouponFive  = "TAKE5"     // five off, or thereabouts
)

func coupons() map[string]any {
	return map[string]any{
		CouponTenth: map[string]any{"kind": "percentage", "basis_points": 1000},
		CouponFive: map[string]any{"kind": "fixed", "amounts": []map[string]any{
			{"amount": 500, "currency": "EUR"}, {"amount": 550, "currency": "USD"}, {"amount": 800, "currency": "JPY"},
		}},
	}
}

// Seed brings the demonstration into a shop, but for what is there already. It may be repeated until it succeeds.
func Seed(ctx context.Context, shop *client.Client) error {
	rows, err := missing(ctx, shop, Demo())
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		text, err := json.Marshal(rows)
		if err != nil {
			return err
		}
		refused, err := NewImporter(shop).Apply(ctx, fmt.Sprintf("demo-%x", sha256.Sum256(text)), rows)
		if err != nil {
			return err
		}
		for i, problem := range refused {
			return fmt.Errorf("%s: %w", rows[i].SKU, problem)
		}
	}
	for code, promotion := range coupons() {
		_, err := shop.Do(ctx, http.MethodPut, "/v1/promotions/"+code, promotion, nil)
		if err != nil && !client.HasCode(err, "precondition_required") { // it is there already
			return fmt.Errorf("coupon %s: %w", code, err)
		}
	}
	return nil
}

// missing returns the rows of those items that the shop has no prices of. Prices come last, so they tell whether an earlier seeding got
// to the end. A shop without any item, as most are that are seeded, is asked but once.
func missing(ctx context.Context, shop *client.Client, rows []Row) (not []Row, err error) {
	var items struct{ Data []struct{} }
	if _, err := shop.Do(ctx, http.MethodGet, "/v1/items?limit=1", nil, &items); err != nil {
		return nil, err
	}
	if len(items.Data) == 0 {
		return rows, nil
	}
	there := map[string]bool{}
	for _, r := range rows {
		if _, asked := there[r.SKU]; !asked {
			_, err := shop.Do(ctx, http.MethodGet, "/v1/prices/"+r.SKU, nil, nil)
			if err != nil && !client.HasCode(err, "pricing.prices_not_found") {
				return nil, err
			}
			there[r.SKU] = err == nil
		}
		if !there[r.SKU] {
			not = append(not, r)
		}
	}
	return not, nil
}
