"""The listeners of `rdv-gateway serve`. What they serve is exported by the packages that know it."""
