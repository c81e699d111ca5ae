"""Ready-made ways to say who may sync.

hooks.py             asks the kinds that a site has chosen, and the permissions
kinds.py             what every kind of credential owes its caller; their names
grants.py            what a caller may do who was let in, and until when
json_web_tokens.py   JWT; claims.py: what they say; keys.py, key_sets.py: what verifies them,
                     as json_fetch.py brings them
sessions.py          signed in to this Django site
drf_tokens.py        tokens of ``rest_framework.authtoken``
store_tokens.py      tokens of ours, each for one store or for those of a prefix
shared_secrets.py    one secret for everything
permissions.py       which user, group or subject may sync which store
tenants.py           stores of the same name, one for each tenant
threads.py           where all this is looked up
checks.py            what an operator should hear before the site starts
"""
