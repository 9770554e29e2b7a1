package lists

banned if "banned" in input.parsed_path

listed if {
	some name in ["one", "two"]
	name == input.parsed_path[1]
}

beside if true

# It has two values for some requests, which is an error where it is asked.
other := value if some value in input.parsed_path
