// Package crash kills the real process, as a power cut would, and looks at what is left.
//
// The matrix kills it before and after every commit and every request to the payment provider, at the points of a binary built with
// the tag failpoints, in one scenario after the other. The storm kills it at any time while customers order. After each death the
// shop is started again; every order that was acknowledged must be there and come to its end within ten seconds, and the audit of
// the data directory must find nothing.
//
//	make crash               # the whole matrix, and 200 deaths under load
//	make crash KILLS=20
package crash
