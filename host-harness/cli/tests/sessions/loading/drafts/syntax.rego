package syntax

allow if {
