// Package deployments measures what it costs to cut the shop apart: the same load, in one run, for one process, two, one for each
// module with an HTTP edge, and replicas, on SQLite and on PostgreSQL.
//
// Every deployment is made of real processes of the real binary, on one machine, whose processors they share with the customers. The
// deployments take turns of some seconds, and who is first changes, so that whatever else the machine does meets them alike. Only
// ratios within a round are to be compared.
//
//	make bench-deployments
package deployments
