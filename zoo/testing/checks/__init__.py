"""The checks of the contract, by what they look at; `zoo.testing.contract` puts them in order."""
