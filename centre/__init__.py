"""The telemedicine centre's side: opens, accounts, stores, shows. Imports wire and drivers.vocabulary only."""
