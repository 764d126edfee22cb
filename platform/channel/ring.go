package channel

// ring is a queue in one array, which is used round and round and grows when it is full.
type ring[T any] struct {
	items   []T // as many as a power of two, or none
	head, n int
}

// at is the place of the i-th item.
func (r *ring[T]) at(i int) *T { return &r.items[(r.head+i)&(len(r.items)-1)] }

// push adds an item at the end.
func (r *ring[T]) push(item T) {
	r.grow()
	r.n++
	*r.at(r.n - 1) = item
}

// pushFront adds an item before the first.
func (r *ring[T]) pushFront(item T) {
	r.grow()
	r.n++
	r.head = (r.head - 1) & (len(r.items) - 1)
	*r.at(0) = item
}

// pop removes the first item; there must be one.
func (r *ring[T]) pop() T {
	var none T
	first := r.at(0)
	item := *first
	*first = none
	r.head = (r.head + 1) & (len(r.items) - 1)
	r.n--
	return item
}

// keep removes the items that are not to be kept.
func (r *ring[T]) keep(which func(*T) bool) {
	kept := 0
	for i := range r.n {
		if item := r.at(i); which(item) {
			*r.at(kept) = *item
			kept++
		}
	}
	var none T
	for i := kept; i < r.n; i++ {
		*r.at(i) = none
	}
	r.n = kept
}

func (r *ring[T]) grow() {
	if r.n < len(r.items) {
		return
	}
	items := make([]T, max(2*len(r.items), 8))
	for i := range r.n {
		items[i] = *r.at(i)
	}
	r.items, r.head = items, 0
}
