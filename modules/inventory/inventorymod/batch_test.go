package inventorymod

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/store/storetest"
)

func counted(sku, name, location string, units int64) inventory.ItemEntry {
	return inventory.ItemEntry{SKU: sku, Name: name, Location: location, OnHand: &units}
}

// told is what is to be known of an item at a glance.
func told(t *testing.T, s inventory.Service, sku string) string {
	t.Helper()
	i, err := s.Item(t.Context(), inventory.ItemRequest{SKU: sku})
	if err != nil {
		return fault.From(err).Code
	}
	page, err := s.Movements(t.Context(), inventory.MovementsRequest{SKU: sku})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s v%d backorder %v: %d of %d, %d movements", i.Name, i.Version, i.Backorder, i.Available, i.OnHand, len(page.Movements))
}

// TestPutItems puts many items, some of which can't be had, and repeats it.
func TestPutItems(t *testing.T) {
	s, _ := start(t, storetest.Datastore(t, "inventory"))
	stocked(t, s, "MUG", 5)
	if _, err := s.Reserve(t.Context(), reserve("o1", "MUG", 2)); err != nil {
		t.Fatal(err)
	}
	yes := true
	key := idempotency.Key{Caller: "key_1", Value: "lines 2 to 9", Digest: "d"}
	request := inventory.PutItemsRequest{Key: key, Reason: "import", Entries: []inventory.ItemEntry{
		counted("CUP", "Cup", "ber", 7),
		counted("MUG", "Mug, renamed", "ber", 1),                    // fewer than orders hold
		counted("POT", "Pot", "nowhere", 1),                         // no such location
		{SKU: "CHAIR", Name: "Chair", Backorder: &yes},              // not counted
		counted("CUP", "Cup", "ber", 8),                             // the later one counts
		{SKU: "CUP", Name: "Cup, blue", Location: "not looked at!"}, // described again
	}}
	put, err := s.PutItems(t.Context(), request)
	if err != nil || put.Replayed {
		t.Fatalf("%+v, %v", put, err)
	}
	var refused []string
	for _, r := range put.Refused {
		refused = append(refused, fmt.Sprintf("%d %s %s", r.Index, r.SKU, r.Code))
	}
	if got, want := strings.Join(refused, ", "), "1 MUG inventory.below_reserved, 2 POT inventory.unknown_location"; got != want {
		t.Errorf("refused are %s, want %s", got, want)
	}
	want := map[string]string{
		"CUP":   "Cup, blue v2 backorder false: 8 of 8, 2 movements",
		"MUG":   "a thing v1 backorder false: 3 of 5, 1 movements",
		"POT":   "inventory.item_not_found",
		"CHAIR": "Chair v1 backorder true: 0 of 0, 0 movements",
	}
	check := func(t *testing.T) {
		t.Helper()
		for sku, want := range want {
			if got := told(t, s, sku); got != want {
				t.Errorf("%s is %q, want %q", sku, got, want)
			}
		}
	}
	check(t)

	t.Run("a repeat is answered with the first answer, and does nothing", func(t *testing.T) {
		again, err := s.PutItems(t.Context(), request)
		if err != nil || !again.Replayed || fmt.Sprint(again.Refused) != fmt.Sprint(put.Refused) {
			t.Errorf("%+v, %v", again, err)
		}
		check(t)
	})
	t.Run("the key is not for another batch", func(t *testing.T) {
		other := request
		other.Key.Digest = "another"
		if _, err := s.PutItems(t.Context(), other); !errors.Is(err, idempotency.ErrReused) {
			t.Errorf("%v", err)
		}
	})
	t.Run("what is not said stays as it is, and what is the same has no new version", func(t *testing.T) {
		for i, name := range []string{"Chair", "Chair, oak"} {
			r := inventory.PutItemsRequest{Reason: "import", Entries: []inventory.ItemEntry{{SKU: "STOOL", Name: "Chair", Backorder: &yes}, {SKU: "STOOL", Name: name}}}
			if _, err := s.PutItems(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if got, want := told(t, s, "STOOL"), fmt.Sprintf("%s v%d backorder true: 0 of 0, 0 movements", name, i+1); got != want {
				t.Errorf("it is %q, want %q", got, want)
			}
		}
	})
	t.Run("a batch that is not valid does nothing", func(t *testing.T) {
		var many []inventory.ItemEntry
		for i := range inventory.MaxBatch + 1 {
			many = append(many, inventory.ItemEntry{SKU: fmt.Sprint("X", i), Name: "X"})
		}
		for pointer, entries := range map[string][]inventory.ItemEntry{
			"/entries":            nil,
			"/entries ":           many,
			"/entries/1/sku":      {counted("CUP", "Cup", "ber", 1), {SKU: "a b", Name: "x"}},
			"/entries/1/name":     {counted("CUP", "Cup", "ber", 1), {SKU: "X"}},
			"/entries/1/location": {counted("CUP", "Cup", "ber", 1), counted("X", "X", "a/b", 1)},
			"/entries/1/on_hand":  {counted("CUP", "Cup", "ber", 1), counted("X", "X", "ber", -1)},
		} {
			_, err := s.PutItems(t.Context(), inventory.PutItemsRequest{Reason: "import", Entries: entries})
			f := fault.From(err)
			if !errors.Is(err, fault.ErrInvalid) || len(f.Details) != 1 || f.Details[0].Pointer != strings.TrimSpace(pointer) {
				t.Errorf("%s: %v %v", pointer, err, f)
			}
		}
		check(t)
	})
}
