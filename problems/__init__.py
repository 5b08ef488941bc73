"""One file per problem. A problem is data, features, candidates and a way to go on learning."""
